//! The ABI of world `plugin`, generated from `wit/`. Nothing here is written by hand. The module
//! is public for the code that `plugin!` expands to; authors use the crate's other modules.
#![allow(missing_docs, unsafe_code, clippy::all)]

wit_bindgen::generate!({
    path: "wit",
    world: "plugin",
    additional_derives: [PartialEq],
    pub_export_macro: true,
    default_bindings_module: "caplet_sdk::bindings",
});

/// The export that a plugin has only when it says whether it is well.
pub mod tells_its_health {
    wit_bindgen::generate!({
        path: "wit",
        inline: "
            package caplet:sdk;
            world tells-its-health { export caplet:plugin/health@0.1.0; }
        ",
        world: "caplet:sdk/tells-its-health",
        additional_derives: [PartialEq],
        pub_export_macro: true,
        export_macro_name: "export_health",
        default_bindings_module: "caplet_sdk::bindings::tells_its_health",
    });
}

/// The export that a plugin has only when it answers for the personal data it keeps: a world of its
/// own, so that a plugin without it does not export it.
pub mod answers_for_subjects {
    wit_bindgen::generate!({
        path: "wit",
        inline: "
            package caplet:sdk;
            world answers-for-subjects { export caplet:plugin/subject-data@0.1.0; }
        ",
        world: "caplet:sdk/answers-for-subjects",
        additional_derives: [PartialEq],
        pub_export_macro: true,
        export_macro_name: "export_subject_data",
        default_bindings_module: "caplet_sdk::bindings::answers_for_subjects",
    });
}
