//! Writes the Kotlin, Swift and Python sources of the built library. `tests/run bindings` shows how it is called.

fn main() {
    uniffi::uniffi_bindgen_main();
}
