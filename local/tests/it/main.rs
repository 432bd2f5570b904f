//! The local AWS from outside.

mod rekognition;
