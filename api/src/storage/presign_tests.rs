//! The signer against the SDK's, which is slow but right.

use std::collections::BTreeSet;

use aws_credential_types::provider::SharedCredentialsProvider;

use super::super::s3::system_time;
use super::*;

/// A small generator with a fixed seed (Knuth's MMIX constants): the same cases in every run.
struct Lcg(u64);

impl Lcg {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[usize::try_from(self.below(items.len() as u64)).unwrap()]
    }

    fn text(&mut self, alphabet: &[char], longest: u64) -> String {
        (0..=self.below(longest))
            .map(|_| self.pick(alphabet))
            .collect()
    }
}

fn settings(random: &mut Lcg) -> S3Settings {
    S3Settings {
        bucket: random
            .pick(&["photos", "a-bucket-2026", "dotted.bucket.name"])
            .to_owned(),
        region: random
            .pick(&["us-east-1", "eu-central-1", "cn-north-1"])
            .to_owned(),
        endpoint: None,
        public_endpoint: random
            .pick(&[
                None,
                None,
                Some("http://127.0.0.1:9000"),
                Some("http://localhost:80"),
                Some("https://s3.example.org"),
                Some("https://s3.example.org:8443"),
                Some("https://example.org:443/storage"),
            ])
            .map(str::to_owned),
        path_style: random.below(2) == 0,
        credentials: SharedCredentialsProvider::new(credentials(random)),
    }
}

fn credentials(random: &mut Lcg) -> Credentials {
    const BASE64: &[char] = &['A', 'z', '0', '9', '+', '/', '='];
    let token = (random.below(2) == 0).then(|| random.text(BASE64, 400));
    Credentials::from_keys(
        format!("AKIA{}", random.text(&['A', 'Z', '7'], 16)),
        random.text(BASE64, 40),
        token,
    )
}

fn key(random: &mut Lcg) -> ObjectKey {
    const CHARS: &[char] = &[
        'a', 'Z', '0', '/', '-', '_', '.', '~', ' ', '+', '%', '&', '=', '?', '#', '(', ')', '*',
        '!', '\'', '"', ':', ';', ',', '@', '$', '[', ']', '{', '|', '\\', '^', '`', '<', 'é',
        '日', '🎉', '\u{7f}',
    ];
    if random.below(2) == 0 {
        let id = uuid::Uuid::from_u64_pair(random.below(u64::MAX), random.below(u64::MAX));
        ObjectKey::preview(id.into(), id.into())
    } else {
        // The first is a letter: a key that begins with a slash is none of ours, and `http` would
        // read `//` otherwise.
        ObjectKey::listed(format!("k{}", random.text(CHARS, 60)))
    }
}

fn parameters(url: &str) -> BTreeSet<&str> {
    url.split_once('?').unwrap().1.split('&').collect()
}

#[tokio::test]
async fn urls_equal_those_of_the_sdk() {
    let mut random = Lcg(2026);
    for case in 0..200 {
        let settings = settings(&mut random);
        let signer = GetSigner::new(&settings).await.unwrap();
        let now = Timestamp(
            i64::try_from(random.below(1_900_000_000)).unwrap() * 1_000_000
                + i64::try_from(random.below(1_000_000)).unwrap(),
        );
        let ttl = u32::try_from(120 + random.below(604_800 - 120)).unwrap();
        let window = i64::from(ttl / 2);
        let signed_at = Timestamp(now.seconds() / window * window * 1_000_000);
        let key = key(&mut random);
        let name = random
            .pick(&[None, Some("IMG_0001.jpg"), Some("Fête \"1/2\" 🎉 100%.jpg")])
            .map(attachment);

        let client = Client::from_conf(
            settings
                .builder(settings.signed_endpoint())
                .credentials_provider(settings.credentials.clone())
                .build(),
        );
        let oracle = client
            .get_object()
            .bucket(&settings.bucket)
            .key(key.as_str())
            .set_response_content_disposition(name.clone())
            .presigned(
                PresigningConfig::builder()
                    .start_time(system_time(signed_at))
                    .expires_in(Duration::from_secs(u64::from(ttl)))
                    .build()
                    .unwrap(),
            )
            .await
            .unwrap();

        let page = signer.page(now, ttl).await.unwrap();
        let ours = page.get(&key, name.as_deref());
        let context = format!(
            "case {case}: {settings:?} {key:?}\n{}\n{}",
            ours.url,
            oracle.uri()
        );
        assert_eq!(
            ours.url.split('?').next(),
            oracle.uri().split('?').next(),
            "{context}"
        );
        assert_eq!(parameters(&ours.url), parameters(oracle.uri()), "{context}");
        assert_eq!(ours.expires_at, signed_at.plus_seconds(i64::from(ttl)));
    }
}

fn fixed(credentials: Credentials) -> S3Settings {
    S3Settings {
        bucket: "photos".into(),
        region: "us-east-1".into(),
        endpoint: Some("http://internal:9000".into()),
        public_endpoint: Some("https://s3.example.org".into()),
        path_style: true,
        credentials: SharedCredentialsProvider::new(credentials),
    }
}

#[tokio::test]
async fn urls_stay_the_same_for_half_their_life_and_live_as_long_again() {
    let settings = fixed(Credentials::from_keys("AK", "SK", None));
    let signer = GetSigner::new(&settings).await.unwrap();
    let key = ObjectKey::listed("a".into());
    let start = Timestamp(1_800_000_000 * 1_000_000);
    let mut urls = BTreeSet::new();
    for second in 0..3_600 {
        let now = start.plus_seconds(second);
        let signed = signer.page(now, 3_600).await.unwrap().get(&key, None);
        assert!(signed.expires_at >= now.plus_seconds(1_800));
        assert!(signed.expires_at <= now.plus_seconds(3_600));
        urls.insert(signed.url);
    }
    assert_eq!(urls.len(), 2);
    assert!(
        urls.iter()
            .all(|url| url.starts_with("https://s3.example.org/photos/a?"))
    );
}

#[tokio::test]
async fn urls_end_with_the_session() {
    let start = Timestamp(1_800_000_000 * 1_000_000);
    let end = start.plus_seconds(2_000);
    let session = Credentials::new("AK", "SK", Some("T".into()), Some(system_time(end)), "test");
    let signer = GetSigner::new(&fixed(session)).await.unwrap();
    let signed = signer
        .page(start.plus_seconds(1_000), 3_600)
        .await
        .unwrap()
        .get(&ObjectKey::listed("a".into()), None);
    assert_eq!(signed.expires_at, end);
    assert!(signed.url.contains("&X-Amz-Expires=2000&"));
}

#[test]
fn attachments_name_the_file_in_ascii_and_in_full() {
    assert_eq!(
        attachment("Fête \"1\".jpg"),
        "attachment; filename=\"F_te _1_.jpg\"; filename*=UTF-8''F%C3%AAte%20%221%22.jpg"
    );
}
