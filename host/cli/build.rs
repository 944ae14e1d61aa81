//! Has the program built again when a file is added to what it carries: the templates, the SDKs and the
//! contract. Files that are changed are noticed without this.

fn main() {
    for folder in ["../../plugins/templates", "../../plugins/sdk", "../../wit"] {
        println!("cargo::rerun-if-changed={folder}");
    }
}
