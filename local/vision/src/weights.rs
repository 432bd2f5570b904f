//! Reads weights in TensorFlow.js's format: a JSON manifest that names slices of one binary file.

use std::collections::HashMap;

use serde::Deserialize;

use crate::VisionError;

/// One file's worth of weights.
#[derive(Deserialize)]
pub(crate) struct Group {
    weights: Vec<Spec>,
}

#[derive(Deserialize)]
struct Spec {
    name: String,
    shape: Vec<usize>,
    dtype: String,
    quantization: Option<Quantization>,
}

#[derive(Deserialize)]
struct Quantization {
    dtype: String,
    #[serde(default)]
    scale: f64,
    #[serde(default)]
    min: f64,
}

/// Some numbers and how they are arranged.
#[derive(Debug)]
pub(crate) struct Weight {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

/// The weights of one network by name. Networks take theirs out, so that each is held once.
pub(crate) struct Weights {
    model: &'static str,
    by_name: HashMap<String, Weight>,
}

impl Weights {
    /// Reads a plain manifest and its weights.
    pub(crate) fn read(
        model: &'static str,
        manifest: &[u8],
        binary: &[u8],
    ) -> Result<Self, VisionError> {
        let groups: Vec<Group> =
            serde_json::from_slice(manifest).map_err(|e| invalid(model, e.to_string()))?;
        Self::from_groups(model, groups, binary)
    }

    /// Reads the weights of an already parsed manifest.
    pub(crate) fn from_groups(
        model: &'static str,
        groups: Vec<Group>,
        binary: &[u8],
    ) -> Result<Self, VisionError> {
        let mut by_name = HashMap::new();
        let mut rest = binary;
        for spec in groups.into_iter().flat_map(|group| group.weights) {
            let count = spec.shape.iter().product::<usize>();
            let stored = spec
                .quantization
                .as_ref()
                .map_or(&*spec.dtype, |q| &*q.dtype);
            let width = match stored {
                "uint8" => 1,
                "float16" => 2,
                "float32" | "int32" => 4,
                other => return Err(invalid(model, format!("{} is {other}", spec.name))),
            };
            let (bytes, behind) = rest
                .split_at_checked(count * width)
                .ok_or_else(|| invalid(model, format!("{} is cut off", spec.name)))?;
            rest = behind;
            let values = match stored {
                "uint8" => {
                    let (scale, min) = spec
                        .quantization
                        .as_ref()
                        .map_or((1.0, 0.0), |q| (q.scale, q.min));
                    bytes
                        .iter()
                        .map(|&b| (f64::from(b) * scale + min) as f32)
                        .collect()
                }
                "float16" => bytes
                    .as_chunks()
                    .0
                    .iter()
                    .map(|&b| from_f16(u16::from_le_bytes(b)))
                    .collect(),
                "int32" => bytes
                    .as_chunks()
                    .0
                    .iter()
                    .map(|&b| i32::from_le_bytes(b) as f32)
                    .collect(),
                _ => bytes
                    .as_chunks()
                    .0
                    .iter()
                    .map(|&b| f32::from_le_bytes(b))
                    .collect(),
            };
            by_name.insert(
                spec.name,
                Weight {
                    shape: spec.shape,
                    values,
                },
            );
        }
        if !rest.is_empty() {
            return Err(invalid(
                model,
                format!("{} bytes are left over", rest.len()),
            ));
        }
        Ok(Self { model, by_name })
    }

    /// Takes a weight out.
    pub(crate) fn take(&mut self, name: &str) -> Result<Weight, VisionError> {
        self.by_name
            .remove(name)
            .ok_or_else(|| invalid(self.model, format!("{name} is missing")))
    }

    /// Takes a weight that must have `count` numbers.
    pub(crate) fn take_vec(&mut self, name: &str, count: usize) -> Result<Vec<f32>, VisionError> {
        let weight = self.take(name)?;
        if weight.values.len() == count {
            return Ok(weight.values);
        }
        Err(invalid(
            self.model,
            format!("{name} has shape {:?}, expected {count}", weight.shape),
        ))
    }

    /// The error that says what is wrong with these weights.
    pub(crate) fn invalid(&self, reason: impl Into<String>) -> VisionError {
        invalid(self.model, reason.into())
    }
}

fn invalid(model: &'static str, reason: String) -> VisionError {
    VisionError::Weights { model, reason }
}

/// IEEE 754 half precision to single.
fn from_f16(half: u16) -> f32 {
    let sign = u32::from(half >> 15) << 31;
    let exponent = u32::from((half >> 10) & 0x1f);
    let fraction = u32::from(half & 0x3ff);
    match exponent {
        // Zero and subnormal numbers: the fraction counts steps of 2^-24.
        0 => f32::from_bits(sign | (fraction as f32 * 2f32.powi(-24)).to_bits()),
        0x1f => f32::from_bits(sign | 0x7f80_0000 | (fraction << 13)),
        _ => f32::from_bits(sign | ((exponent + 112) << 23) | (fraction << 13)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Weights, from_f16};

    #[test]
    fn half_precision_numbers_are_read() {
        let cases = [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x0001, 2f32.powi(-24)),
            (0x7bff, 65504.0),
            (0, 0.0),
        ];
        for (half, single) in cases {
            assert_eq!(from_f16(half), single, "{half:#06x}");
        }
        assert!(from_f16(0x7c00).is_infinite());
        assert!(from_f16(0x7e00).is_nan());
    }

    #[test]
    fn a_cut_or_overlong_file_is_an_error() {
        let manifest = br#"[{"weights": [{"name": "a", "shape": [2], "dtype": "float32",
            "quantization": {"dtype": "uint8", "scale": 0.5, "min": -1}}]}]"#;
        let mut weights = Weights::read("test", manifest, &[0, 4]).unwrap();
        assert_eq!(weights.take("a").unwrap().values, [-1.0, 1.0]);
        assert!(weights.take("a").is_err());
        assert!(Weights::read("test", manifest, &[0]).is_err());
        assert!(Weights::read("test", manifest, &[0, 1, 2]).is_err());
    }
}
