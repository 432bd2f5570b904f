//! Any text as an id or a cursor: reading never panics, what was written is read, and what is read is
//! the one text that is written for it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use uuid::Uuid;
use wire::opaque;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        if let Some((tag, id)) = opaque::read_id(text) {
            assert_eq!(opaque::write_id(tag, id), text);
        }
        if let Some((key, id)) = opaque::read_place(text) {
            assert_eq!(opaque::write_place(key, id), text);
        }
        if let Some((gallery, number)) = opaque::read_event(text) {
            assert_eq!(opaque::write_event(gallery, number), text);
        }
        let kinds = [
            opaque::read_id(text).is_some(),
            opaque::read_place(text).is_some(),
            opaque::read_event(text).is_some(),
        ];
        assert!(kinds.iter().filter(|kind| **kind).count() <= 1, "{kinds:?}");
    }
    if let Some((head, rest)) = data.split_first_chunk::<25>() {
        let (tag, id, number) = (head[0], &head[1..17], &head[17..]);
        let id = Uuid::from_slice(id).expect("16 bytes");
        let number = i64::from_be_bytes(number.try_into().expect("8 bytes"));
        assert_eq!(opaque::read_id(&opaque::write_id(tag, id)), Some((tag, id)));
        let place = opaque::write_place(number, id);
        assert_eq!(opaque::read_place(&place), Some((number, id)));
        let event = opaque::write_event(id, number);
        assert_eq!(opaque::read_event(&event), Some((id, number)));
        // One character changed is another thing or nothing, never the same.
        if let [at, byte, ..] = rest
            && byte.is_ascii()
        {
            let mut text = event.clone().into_bytes();
            let at = usize::from(*at) % text.len();
            text[at] = *byte;
            let text = String::from_utf8(text).expect("ASCII");
            let same = opaque::read_event(&text) == Some((id, number));
            assert_eq!(same, text == event);
        }
    }
});
