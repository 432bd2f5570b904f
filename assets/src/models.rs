//! Weights of the networks, as their npm packages ship them.

use crate::file;

/// One network's weights in TensorFlow.js's format.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    /// JSON: the weights manifest (an array of groups), or, for a graph model, an object that has
    /// the graph in `modelTopology` and the manifest in `weightsManifest`.
    pub manifest: &'static [u8],
    /// The weights in the manifest's order, quantised to 8 bits or as 16-bit floats.
    pub weights: &'static [u8],
}

/// Face detector: SSD with MobileNet v1, 512 x 512 pixels (face-api).
pub const SSD_MOBILENET_V1: Model = Model {
    manifest: file!("ssd_mobilenetv1.json"),
    weights: file!("ssd_mobilenetv1.bin"),
};

/// 68 face landmarks, 112 x 112 pixels (face-api).
pub const FACE_LANDMARK_68: Model = Model {
    manifest: file!("face_landmark_68.json"),
    weights: file!("face_landmark_68.bin"),
};

/// Face embedding of 128 numbers: dlib's ResNet, 150 x 150 pixels (face-api).
pub const FACE_RECOGNITION: Model = Model {
    manifest: file!("face_recognition.json"),
    weights: file!("face_recognition.bin"),
};

/// Object detector for the 80 COCO classes: CenterNet with MobileNet v3, 512 x 512 pixels (human).
/// A graph model.
pub const CENTERNET: Model = Model {
    manifest: file!("centernet.json"),
    weights: file!("centernet.bin"),
};
