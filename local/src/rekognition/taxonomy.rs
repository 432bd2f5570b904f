//! What the classes of COCO are called in Rekognition, and what they are kinds of.
//!
//! Names, parents and categories follow the label list that AWS publishes with label model 3, as
//! far as they can be told for COCO's eighty classes; where it was not at hand the entry is a
//! sensible guess, so treat parents as a shape to develop against.

/// One label.
#[derive(Debug)]
pub(crate) struct Concept {
    pub(crate) name: &'static str,
    /// Direct parents only.
    parents: &'static [&'static str],
    pub(crate) aliases: &'static [&'static str],
    pub(crate) category: &'static str,
    /// Name in COCO; empty for labels that are only implied.
    class: &'static str,
}

const fn concept(
    class: &'static str,
    name: &'static str,
    category: &'static str,
    parents: &'static [&'static str],
    aliases: &'static [&'static str],
) -> Concept {
    Concept {
        name,
        parents,
        aliases,
        category,
        class,
    }
}

const ANIMALS: &str = "Animals and Pets";
const APPAREL: &str = "Apparel and Accessories";
const BUILDINGS: &str = "Buildings and Architecture";
const EVERYDAY: &str = "Everyday Objects";
const FOOD: &str = "Food and Beverage";
const FURNITURE: &str = "Furniture and Furnishings";
const INDOORS: &str = "Home and Indoors";
const APPLIANCES: &str = "Home Appliances";
const KITCHEN: &str = "Kitchen and Dining";
const PLANTS: &str = "Plants and Flowers";
const SAFETY: &str = "Public Safety";
const SPORTS: &str = "Sports";
const SYMBOLS: &str = "Symbols and Flags";
const TECHNOLOGY: &str = "Technology and Computing";
const TEXT: &str = "Text and Documents";
const TOOLS: &str = "Tools and Machinery";
const TOYS: &str = "Toys and Gaming";
const TRANSPORT: &str = "Transport and Logistics";
const VEHICLES: &str = "Vehicles and Automotive";

/// Said of a class that the table lacks.
static UNKNOWN: Concept = concept("", "Object", EVERYDAY, &[], &[]);

static CONCEPTS: &[Concept] = &[
    concept("person", "Person", "Person Description", &[], &["Human"]),
    concept("bicycle", "Bicycle", VEHICLES, &["Vehicle"], &["Bike"]),
    concept("car", "Car", VEHICLES, &["Vehicle"], &["Automobile"]),
    concept(
        "motorcycle",
        "Motorcycle",
        VEHICLES,
        &["Vehicle"],
        &["Motor Bike"],
    ),
    concept("airplane", "Airplane", VEHICLES, &["Aircraft"], &["Plane"]),
    concept("bus", "Bus", VEHICLES, &["Vehicle"], &[]),
    concept("train", "Train", VEHICLES, &["Railway", "Vehicle"], &[]),
    concept("truck", "Truck", VEHICLES, &["Vehicle"], &[]),
    concept("boat", "Boat", VEHICLES, &["Watercraft"], &[]),
    concept(
        "traffic light",
        "Traffic Light",
        TRANSPORT,
        &["Light"],
        &["Traffic Signal"],
    ),
    concept("fire hydrant", "Fire Hydrant", SAFETY, &["Hydrant"], &[]),
    concept(
        "stop sign",
        "Stopsign",
        SYMBOLS,
        &["Road Sign"],
        &["Stop Sign"],
    ),
    concept("parking meter", "Parking Meter", TRANSPORT, &[], &[]),
    concept("bench", "Bench", FURNITURE, &["Furniture"], &[]),
    concept("bird", "Bird", ANIMALS, &["Animal"], &[]),
    concept("cat", "Cat", ANIMALS, &["Mammal", "Pet"], &[]),
    concept("dog", "Dog", ANIMALS, &["Canine", "Pet"], &[]),
    concept("horse", "Horse", ANIMALS, &["Mammal"], &[]),
    concept("sheep", "Sheep", ANIMALS, &["Livestock"], &[]),
    concept("cow", "Cow", ANIMALS, &["Cattle"], &[]),
    concept(
        "elephant",
        "Elephant",
        ANIMALS,
        &["Wildlife", "Mammal"],
        &[],
    ),
    concept("bear", "Bear", ANIMALS, &["Wildlife", "Mammal"], &[]),
    concept("zebra", "Zebra", ANIMALS, &["Wildlife", "Mammal"], &[]),
    concept("giraffe", "Giraffe", ANIMALS, &["Wildlife", "Mammal"], &[]),
    concept("backpack", "Backpack", APPAREL, &["Bag"], &[]),
    concept("umbrella", "Umbrella", APPAREL, &["Canopy"], &[]),
    concept(
        "handbag",
        "Handbag",
        APPAREL,
        &["Bag", "Accessories"],
        &["Purse"],
    ),
    concept(
        "tie",
        "Tie",
        APPAREL,
        &["Formal Wear", "Accessories"],
        &["Necktie"],
    ),
    concept("suitcase", "Suitcase", APPAREL, &["Baggage"], &[]),
    concept("frisbee", "Frisbee", SPORTS, &["Toy"], &[]),
    concept("skis", "Skis", SPORTS, &["Outdoors"], &[]),
    concept("snowboard", "Snowboard", SPORTS, &["Outdoors"], &[]),
    concept("sports ball", "Ball", SPORTS, &["Sport"], &["Sports Ball"]),
    concept("kite", "Kite", TOYS, &["Toy"], &[]),
    concept("baseball bat", "Baseball Bat", SPORTS, &["Baseball"], &[]),
    concept(
        "baseball glove",
        "Baseball Glove",
        SPORTS,
        &["Baseball", "Glove"],
        &[],
    ),
    concept("skateboard", "Skateboard", SPORTS, &["Sport"], &[]),
    concept("surfboard", "Surfboard", SPORTS, &["Outdoors"], &[]),
    concept(
        "tennis racket",
        "Tennis Racket",
        SPORTS,
        &["Tennis"],
        &["Racket"],
    ),
    concept("bottle", "Bottle", EVERYDAY, &[], &[]),
    concept("wine glass", "Wine Glass", KITCHEN, &["Glass"], &[]),
    concept("cup", "Cup", KITCHEN, &[], &[]),
    concept("fork", "Fork", KITCHEN, &["Cutlery"], &[]),
    concept("knife", "Knife", KITCHEN, &["Cutlery"], &[]),
    concept("spoon", "Spoon", KITCHEN, &["Cutlery"], &[]),
    concept("bowl", "Bowl", KITCHEN, &[], &[]),
    concept("banana", "Banana", FOOD, &["Fruit"], &[]),
    concept("apple", "Apple", FOOD, &["Fruit"], &[]),
    concept("sandwich", "Sandwich", FOOD, &["Food"], &[]),
    concept("orange", "Orange", FOOD, &["Citrus Fruit"], &[]),
    concept("broccoli", "Broccoli", FOOD, &["Vegetable"], &[]),
    concept("carrot", "Carrot", FOOD, &["Vegetable"], &[]),
    concept("hot dog", "Hot Dog", FOOD, &["Food"], &[]),
    concept("pizza", "Pizza", FOOD, &["Food"], &[]),
    concept("donut", "Donut", FOOD, &["Sweets"], &["Doughnut"]),
    concept("cake", "Cake", FOOD, &["Dessert"], &[]),
    concept("chair", "Chair", FURNITURE, &["Furniture"], &[]),
    concept("couch", "Couch", FURNITURE, &["Furniture"], &["Sofa"]),
    concept("potted plant", "Potted Plant", PLANTS, &["Plant"], &[]),
    concept("bed", "Bed", FURNITURE, &["Furniture"], &[]),
    concept("dining table", "Dining Table", FURNITURE, &["Table"], &[]),
    concept("toilet", "Toilet", INDOORS, &["Bathroom"], &[]),
    concept("tv", "TV", TECHNOLOGY, &["Screen"], &["Television"]),
    concept(
        "laptop",
        "Laptop",
        TECHNOLOGY,
        &["Pc"],
        &["Laptop Computer"],
    ),
    concept(
        "mouse",
        "Mouse",
        TECHNOLOGY,
        &["Computer Hardware"],
        &["Computer Mouse"],
    ),
    concept(
        "remote",
        "Remote Control",
        TECHNOLOGY,
        &["Electronics"],
        &[],
    ),
    concept(
        "keyboard",
        "Computer Keyboard",
        TECHNOLOGY,
        &["Computer Hardware"],
        &[],
    ),
    concept(
        "cell phone",
        "Mobile Phone",
        TECHNOLOGY,
        &["Phone"],
        &["Cell Phone"],
    ),
    concept(
        "microwave",
        "Microwave",
        APPLIANCES,
        &["Appliance"],
        &["Microwave Oven"],
    ),
    concept("oven", "Oven", APPLIANCES, &["Appliance"], &[]),
    concept("toaster", "Toaster", APPLIANCES, &["Appliance"], &[]),
    concept("sink", "Sink", INDOORS, &[], &[]),
    concept(
        "refrigerator",
        "Refrigerator",
        APPLIANCES,
        &["Appliance"],
        &["Fridge"],
    ),
    concept("book", "Book", TEXT, &["Publication"], &[]),
    concept("clock", "Clock", EVERYDAY, &[], &[]),
    concept("vase", "Vase", FURNITURE, &["Pottery"], &[]),
    concept("scissors", "Scissors", TOOLS, &[], &[]),
    concept("teddy bear", "Teddy Bear", TOYS, &["Toy"], &[]),
    concept(
        "hair drier",
        "Hair Drier",
        APPLIANCES,
        &["Appliance"],
        &["Hair Dryer"],
    ),
    concept("toothbrush", "Toothbrush", EVERYDAY, &["Brush"], &[]),
    // Implied only.
    concept("", "Accessories", APPAREL, &[], &["Accessory"]),
    concept("", "Aircraft", VEHICLES, &["Vehicle"], &[]),
    concept("", "Animal", ANIMALS, &[], &[]),
    concept(
        "",
        "Appliance",
        APPLIANCES,
        &["Device", "Electrical Device"],
        &[],
    ),
    concept("", "Bag", APPAREL, &[], &[]),
    concept("", "Baggage", TRANSPORT, &[], &["Luggage"]),
    concept("", "Baseball", SPORTS, &["Sport"], &[]),
    concept("", "Bathroom", INDOORS, &["Room"], &[]),
    concept("", "Brush", TOOLS, &["Device", "Tool"], &[]),
    concept("", "Canine", ANIMALS, &["Mammal"], &[]),
    concept("", "Canopy", BUILDINGS, &[], &[]),
    concept("", "Cattle", ANIMALS, &["Livestock"], &[]),
    concept("", "Citrus Fruit", FOOD, &["Fruit"], &[]),
    concept("", "Clothing", APPAREL, &[], &["Apparel"]),
    concept("", "Computer", TECHNOLOGY, &["Electronics"], &[]),
    concept(
        "",
        "Computer Hardware",
        TECHNOLOGY,
        &["Electronics", "Hardware"],
        &[],
    ),
    concept("", "Cutlery", KITCHEN, &[], &[]),
    concept("", "Dessert", FOOD, &["Food"], &[]),
    concept("", "Device", TOOLS, &[], &[]),
    concept("", "Electrical Device", APPLIANCES, &["Device"], &[]),
    concept("", "Electronics", TECHNOLOGY, &[], &[]),
    concept("", "Food", FOOD, &[], &[]),
    concept("", "Formal Wear", APPAREL, &["Clothing"], &[]),
    concept("", "Fruit", FOOD, &["Food", "Plant", "Produce"], &[]),
    concept("", "Furniture", FURNITURE, &[], &[]),
    concept("", "Glass", KITCHEN, &[], &[]),
    concept("", "Glove", APPAREL, &["Clothing"], &[]),
    concept("", "Hardware", TECHNOLOGY, &[], &[]),
    concept("", "Hydrant", SAFETY, &[], &[]),
    concept("", "Light", EVERYDAY, &[], &[]),
    concept("", "Livestock", ANIMALS, &["Mammal"], &[]),
    concept("", "Mammal", ANIMALS, &["Animal"], &[]),
    concept("", "Outdoors", "Nature and Outdoors", &[], &[]),
    concept("", "Pc", TECHNOLOGY, &["Computer"], &["Personal Computer"]),
    concept("", "Pet", ANIMALS, &["Animal"], &[]),
    concept("", "Phone", TECHNOLOGY, &["Electronics"], &[]),
    concept("", "Plant", PLANTS, &[], &[]),
    concept("", "Pottery", FURNITURE, &[], &[]),
    concept("", "Produce", FOOD, &["Food"], &[]),
    concept("", "Publication", TEXT, &[], &[]),
    concept("", "Railway", TRANSPORT, &["Transportation"], &["Railroad"]),
    concept("", "Road Sign", SYMBOLS, &["Sign", "Symbol"], &[]),
    concept("", "Room", INDOORS, &["Indoors"], &[]),
    concept("", "Indoors", INDOORS, &[], &["Interior"]),
    concept("", "Screen", TECHNOLOGY, &["Electronics"], &[]),
    concept("", "Sign", SYMBOLS, &["Symbol"], &[]),
    concept("", "Sport", SPORTS, &[], &["Sports"]),
    concept("", "Sweets", FOOD, &["Food"], &["Confectionery"]),
    concept("", "Symbol", SYMBOLS, &[], &[]),
    concept("", "Table", FURNITURE, &["Furniture"], &[]),
    concept("", "Tennis", SPORTS, &["Sport"], &[]),
    concept("", "Tool", TOOLS, &["Device"], &[]),
    concept("", "Toy", TOYS, &[], &[]),
    concept("", "Transportation", TRANSPORT, &[], &[]),
    concept("", "Vegetable", FOOD, &["Food", "Plant", "Produce"], &[]),
    concept("", "Vehicle", VEHICLES, &["Transportation"], &[]),
    concept("", "Watercraft", VEHICLES, &["Vehicle"], &[]),
    concept("", "Wildlife", ANIMALS, &["Animal"], &[]),
];

/// The label of a COCO class.
pub(crate) fn of_class(class: &str) -> &'static Concept {
    CONCEPTS
        .iter()
        .find(|concept| !class.is_empty() && concept.class == class)
        .unwrap_or(&UNKNOWN)
}

/// Everything that a label is a kind of, by name: `Parents` "includes all ancestor labels".
pub(crate) fn ancestors(concept: &Concept) -> Vec<&'static Concept> {
    let mut found: Vec<&'static Concept> = Vec::new();
    let mut todo: Vec<&str> = concept.parents.to_vec();
    while let Some(name) = todo.pop() {
        if found.iter().any(|known| known.name == name) {
            continue;
        }
        if let Some(parent) = CONCEPTS.iter().find(|concept| concept.name == name) {
            found.push(parent);
            todo.extend(parent.parents);
        }
    }
    found.sort_by_key(|concept| concept.name);
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_table_is_whole() {
        let names: BTreeSet<&str> = CONCEPTS.iter().map(|concept| concept.name).collect();
        assert_eq!(names.len(), CONCEPTS.len(), "a label occurs twice");
        let classes = CONCEPTS
            .iter()
            .filter(|concept| !concept.class.is_empty())
            .count();
        assert_eq!(classes, 80, "COCO has eighty classes");
        for concept in CONCEPTS {
            for parent in concept.parents {
                assert!(
                    names.contains(parent),
                    "{}: no label {parent}",
                    concept.name
                );
            }
            let above = ancestors(concept);
            assert!(
                above.iter().all(|ancestor| ancestor.name != concept.name),
                "a cycle"
            );
        }
    }
}
