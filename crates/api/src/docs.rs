//! The reference, generated: what a reader needs of the operation table, the descriptors and limits.

mod openapi;
mod pages;

use std::sync::LazyLock;

static OPENAPI: LazyLock<String> = LazyLock::new(|| openapi::document().to_string());

/// The OpenAPI 3.1 document of every operation, as JSON text.
pub fn openapi_text() -> &'static str {
    &OPENAPI
}

/// The pages of `docs/reference` that are not written by hand: file name and content.
pub fn reference_docs() -> Vec<(&'static str, String)> {
    vec![
        ("openapi.json", format!("{:#}\n", openapi::document())),
        ("api.md", pages::api()),
        ("coverage.md", pages::coverage()),
        ("limits.md", pages::limits()),
        ("roles.md", pages::roles()),
    ]
}
