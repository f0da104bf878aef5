//! Figures that there is one of, as `bench/report` reads them.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::Result;

pub(crate) fn figure(name: &str, value: f64, unit: &str) -> Value {
    json!({ "name": name, "value": value, "unit": unit })
}

pub(crate) fn write(figures: &[Value], file: &Path) -> Result {
    let text = serde_json::to_string_pretty(&json!({ "extra": figures }))?;
    Ok(fs::write(file, text + "\n")?)
}
