//! DetectLabels: objects, and what they are kinds of.

use std::collections::BTreeMap;

use vision::DetectedObject;

use super::error::ApiError;
use super::request::{self, GeneralLabels, count, percent};
use super::response::{self, Instance, Label, Named};
use super::taxonomy::{self, Concept};
use super::{LABEL_MODEL_VERSION, Rekognition};

/// Default of `MinConfidence`.
const DEFAULT_CONFIDENCE: f32 = 55.0;

impl Rekognition {
    /// The objects of an image as labels, with their instances, and the labels above them.
    pub(crate) async fn detect_labels(
        &self,
        request: request::DetectLabels,
    ) -> Result<response::DetectLabels, ApiError> {
        let at_least = percent(request.min_confidence, "minConfidence", DEFAULT_CONFIDENCE)?;
        let at_most = count(request.max_labels, "maxLabels", 0..=i64::MAX)?;
        check_features(request.features.as_deref().unwrap_or_default())?;
        let filters = request
            .settings
            .unwrap_or_default()
            .general_labels
            .unwrap_or_default();

        let image = self.source_image(request.image, "image").await?;
        let objects = self.analyser.objects(image).await?;
        let mut labels = labels(&objects, at_least);
        labels.retain(|label| admitted(label, &filters));
        labels.truncate(at_most.unwrap_or(usize::MAX));
        Ok(response::DetectLabels {
            labels,
            label_model_version: LABEL_MODEL_VERSION,
        })
    }
}

fn check_features(features: &[String]) -> Result<(), ApiError> {
    match features.iter().find(|feature| *feature != "GENERAL_LABELS") {
        None => Ok(()),
        Some(feature) if feature == "IMAGE_PROPERTIES" => Err(ApiError::InvalidParameter(
            "IMAGE_PROPERTIES is not available at this endpoint.".to_owned(),
        )),
        Some(other) => Err(request::violation(
            other,
            "features",
            "satisfy enum value set: [GENERAL_LABELS, IMAGE_PROPERTIES]",
        )),
    }
}

/// A detector's score on Rekognition's scale.
///
/// The detector counts a score of 30 as a detection, Rekognition a confidence of 55 (the default
/// of `MinConfidence`), and a root takes the one to the other and 100 to 100. Like the scale of
/// `Similarity` it is a choice, not a calibration.
fn confidence(score: f32) -> f32 {
    score.clamp(0.0, 100.0).sqrt() * 10.0
}

/// Labels by confidence. A label is as sure as its surest instance, and so is everything that it
/// is a kind of.
fn labels(objects: &[DetectedObject], at_least: f32) -> Vec<Label> {
    let mut found: BTreeMap<&str, Label> = BTreeMap::new();
    for object in objects {
        let confidence = confidence(object.confidence);
        if confidence < at_least {
            continue;
        }
        let concept = taxonomy::of_class(object.class);
        let label = found.entry(concept.name).or_insert_with(|| empty(concept));
        label.confidence = label.confidence.max(confidence);
        label.instances.push(Instance {
            bounding_box: object.bounding_box.into(),
            confidence,
        });
        for ancestor in taxonomy::ancestors(concept) {
            let label = found
                .entry(ancestor.name)
                .or_insert_with(|| empty(ancestor));
            label.confidence = label.confidence.max(confidence);
        }
    }
    let mut labels: Vec<Label> = found.into_values().collect();
    // Stable: equals stay in the order of their names.
    labels.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    labels
}

fn empty(concept: &Concept) -> Label {
    Label {
        name: concept.name,
        confidence: 0.0,
        instances: Vec::new(),
        parents: taxonomy::ancestors(concept)
            .into_iter()
            .map(|parent| Named { name: parent.name })
            .collect(),
        aliases: concept.aliases.iter().map(|name| Named { name }).collect(),
        categories: vec![Named {
            name: concept.category,
        }],
    }
}

/// An inclusion filter admits what it names and nothing else; an exclusion filter is stronger.
fn admitted(label: &Label, filters: &GeneralLabels) -> bool {
    let named = |names: &[String]| names.iter().any(|name| name == label.name);
    let in_category = |names: &[String]| {
        label
            .categories
            .iter()
            .any(|category| names.iter().any(|name| name == category.name))
    };
    let anything = filters.label_inclusion_filters.is_empty()
        && filters.label_category_inclusion_filters.is_empty();
    let included = anything
        || named(&filters.label_inclusion_filters)
        || in_category(&filters.label_category_inclusion_filters);
    included
        && !named(&filters.label_exclusion_filters)
        && !in_category(&filters.label_category_exclusion_filters)
}

#[cfg(test)]
mod tests {
    use vision::BoundingBox;

    use super::*;

    /// An object that comes out with this confidence.
    fn object(class: &'static str, confidence: f32) -> DetectedObject {
        DetectedObject {
            class,
            confidence: confidence * confidence / 100.0,
            bounding_box: BoundingBox::default(),
        }
    }

    fn names(labels: &[Label]) -> Vec<&str> {
        labels.iter().map(|label| label.name).collect()
    }

    #[test]
    fn a_label_gathers_its_instances_and_brings_its_ancestors() {
        let found = labels(
            &[
                object("person", 90.0),
                object("dog", 80.0),
                object("person", 95.0),
                object("cat", 40.0),
            ],
            55.0,
        );
        assert_eq!(
            names(&found),
            ["Person", "Animal", "Canine", "Dog", "Mammal", "Pet"]
        );
        assert_eq!(found[0].instances.len(), 2);
        assert!((found[0].confidence - 95.0).abs() < 0.01);
        assert!(found[1].instances.is_empty(), "Animal is only implied");
        let parents: Vec<&str> = found[3].parents.iter().map(|parent| parent.name).collect();
        assert_eq!(parents, ["Animal", "Canine", "Mammal", "Pet"]);
    }

    #[test]
    fn exclusion_beats_inclusion_and_categories_count() {
        let found = labels(&[object("person", 90.0), object("dog", 80.0)], 55.0);
        let kept = |filters: GeneralLabels| {
            let kept: Vec<Label> = found
                .iter()
                .filter(|label| admitted(label, &filters))
                .cloned()
                .collect();
            names(&kept)
                .into_iter()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            kept(GeneralLabels {
                label_inclusion_filters: vec!["Dog".to_owned(), "Person".to_owned()],
                label_exclusion_filters: vec!["Person".to_owned()],
                ..GeneralLabels::default()
            }),
            ["Dog"]
        );
        assert_eq!(
            kept(GeneralLabels {
                label_category_inclusion_filters: vec!["Person Description".to_owned()],
                ..GeneralLabels::default()
            }),
            ["Person"]
        );
    }
}
