//! Prints what is found in a photo: `cargo run -p eventgallery-vision --example detect photo.jpg`.

use std::error::Error;
use std::time::Instant;

use vision::Vision;

#[expect(clippy::print_stdout, reason = "printing is what this program is for")]
fn main() -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let vision = Vision::load()?;
    println!("loaded in {:.0?}", start.elapsed());
    for path in std::env::args().skip(1) {
        let image = image::open(&path)?.into_rgb8();
        println!("{path}: {} x {} pixels", image.width(), image.height());

        let start = Instant::now();
        let faces = vision.detect_faces(&image);
        println!("  {} faces in {:.0?}", faces.len(), start.elapsed());
        for face in &faces {
            let start = Instant::now();
            let embedding = vision.embed(&image, face);
            let spent = start.elapsed();
            let length = embedding.0.iter().map(|v| v * v).sum::<f32>().sqrt();
            println!(
                "    {:.1} {:.3?} {:.0?} {:.0?}; embedding of length {length:.2} in {spent:.0?}",
                face.confidence, face.bounding_box, face.pose, face.quality
            );
        }

        let start = Instant::now();
        let objects = vision.detect_objects(&image);
        println!("  {} objects in {:.0?}", objects.len(), start.elapsed());
        for object in &objects {
            println!(
                "    {:.1} {} {:.3?}",
                object.confidence, object.class, object.bounding_box
            );
        }
    }
    Ok(())
}
