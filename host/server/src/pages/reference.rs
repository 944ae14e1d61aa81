//! The page around the viewer of the API: Swagger UI, served from this binary, over the document of
//! this host. Requests that a reader tries go to this host and nowhere else, with the token that the
//! reader pasted, which is kept no longer than the page.

use maud::{DOCTYPE, Markup, html};

use super::{asset_url, front};

/// What the page may do: run the viewer and its own start, and ask this host. The viewer carries its
/// pictures as `data:`.
pub(super) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

/// The page. `base` stands before all paths.
pub(super) fn render(base: &str) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                (front::head("API reference - Caplet", base))
                link rel="stylesheet" href=(asset_url(base, "swagger-ui.css"));
                link rel="stylesheet" href=(asset_url(base, "reference.css"));
            }
            body {
                header.site {
                    a href={ (base) "/" } {
                        img src=(asset_url(base, "icon.svg")) alt="" width="24" height="24";
                        "Caplet"
                    }
                }
                div #reference data-document={ (base) "/openapi.json" } {}
                noscript {
                    p { "The reference needs JavaScript. " a href={ (base) "/openapi.json" } { "Its document" } " does not." }
                }
                script src=(asset_url(base, "swagger-ui-bundle.js")) {}
                script src=(asset_url(base, "reference.js")) {}
            }
        }
    }
}
