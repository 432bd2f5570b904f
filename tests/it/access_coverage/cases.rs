//! One call of every root field, with every field of its payload.

use harness::pictures;
use serde_json::{Value, json};

/// The whole of a `SessionPayload`.
const SESSION: &str = "user { id } accessToken refreshToken deviceToken expiresAt";

/// Field, document, variables.
pub(super) type Case = (&'static str, String, Value);

fn mutation(field: &'static str, input_type: &str, input: Value, selection: &str) -> Case {
    let document = format!(
        "mutation($input: {input_type}!) {{ {field}(input: $input) {{ {selection} userErrors {{ code }} }} }}"
    );
    (field, document, json!({ "input": input }))
}

fn query(field: &'static str, arguments: &str, selection: &str, id: &str) -> Case {
    let document = format!("query($id: ID!) {{ {field}({arguments}) {selection} }}");
    (field, document, json!({ "id": id }))
}

/// What the calls are about.
pub(super) struct Subjects {
    pub(super) gallery: String,
    pub(super) photo: String,
    pub(super) person: String,
    pub(super) link: String,
    /// Address and id of somebody who is no member.
    pub(super) email: String,
    pub(super) user: String,
}

/// One call of every root field.
pub(super) fn cases(subjects: &Subjects) -> Vec<Case> {
    let Subjects {
        gallery,
        photo,
        person,
        link,
        email,
        user,
    } = subjects;
    let file = pictures::plain("new.jpg", 77).file();
    vec![
        query("node", "id: $id", "{ id }", photo),
        query("nodes", "ids: [$id]", "{ id }", gallery),
        ("viewer", "{ viewer { id } }".into(), json!({})),
        query("gallery", "id: $id", "{ id }", gallery),
        (
            "galleries",
            "{ galleries(first: 5) { nodes { id } } }".into(),
            json!({}),
        ),
        query("photo", "id: $id", "{ id }", photo),
        query("person", "id: $id", "{ id }", person),
        (
            "galleryEvents",
            "subscription($id: ID!) { galleryEvents(galleryId: $id) { cursor } }".into(),
            json!({ "id": gallery }),
        ),
        mutation(
            "register",
            "RegisterInput",
            json!({ "email": "x", "name": "x", "password": "x" }),
            SESSION,
        ),
        mutation(
            "signIn",
            "SignInInput",
            // Of its own for each actor: failures are counted.
            json!({ "email": format!("{gallery}@example.com"), "password": "xxxxxxxx" }),
            SESSION,
        ),
        mutation(
            "refreshTokens",
            "RefreshTokensInput",
            json!({ "refreshToken": "x" }),
            SESSION,
        ),
        mutation(
            "changePassword",
            "ChangePasswordInput",
            json!({ "currentPassword": "not the password", "newPassword": "xxxxxxxx" }),
            SESSION,
        ),
        mutation(
            "signOut",
            "SignOutInput",
            json!({ "refreshToken": "x" }),
            "",
        ),
        mutation(
            "createGallery",
            "CreateGalleryInput",
            json!({ "name": "own" }),
            "gallery { id }",
        ),
        mutation(
            "updateGallery",
            "UpdateGalleryInput",
            json!({ "galleryId": gallery, "name": "n" }),
            "gallery { id }",
        ),
        mutation(
            "setGalleryMember",
            "SetGalleryMemberInput",
            json!({ "galleryId": gallery, "email": email, "role": "VIEWER" }),
            "gallery { id } member { role }",
        ),
        mutation(
            "removeGalleryMember",
            "RemoveGalleryMemberInput",
            json!({ "galleryId": gallery, "userId": user }),
            "gallery { id } member { role }",
        ),
        mutation(
            "requestPhotoUploads",
            "RequestPhotoUploadsInput",
            json!({ "galleryId": gallery, "files": [file] }),
            "results { clientRef photo { id } target { url } duplicateOf { id } userErrors { code } }",
        ),
        mutation(
            "confirmPhotoUploads",
            "ConfirmPhotoUploadsInput",
            json!({ "photoIds": [photo] }),
            "results { photoId photo { id } userErrors { code } }",
        ),
        mutation(
            "cancelPhotoUploads",
            "CancelPhotoUploadsInput",
            json!({ "photoIds": [photo] }),
            "results { photoId userErrors { code } }",
        ),
        mutation(
            "retryPhotoAnalysis",
            "RetryPhotoAnalysisInput",
            json!({ "photoIds": [photo], "steps": ["LABELS"] }),
            "results { photo { id } userErrors { code } }",
        ),
        mutation(
            "updatePerson",
            "UpdatePersonInput",
            json!({ "personId": person, "hidden": false }),
            "person { id }",
        ),
        mutation(
            "mergePeople",
            "MergePeopleInput",
            json!({ "intoPersonId": person, "fromPersonIds": [] }),
            "person { id }",
        ),
        mutation(
            "createShareLink",
            "CreateShareLinkInput",
            json!({ "galleryId": gallery }),
            "shareLink { id } token",
        ),
        mutation(
            "revokeShareLink",
            "RevokeShareLinkInput",
            json!({ "shareLinkId": link }),
            "shareLink { id }",
        ),
        mutation(
            "redeemShareLink",
            "RedeemShareLinkInput",
            json!({ "token": "x" }),
            "gallery { id } accessToken expiresAt",
        ),
        mutation(
            "deletePhotos",
            "DeletePhotosInput",
            json!({ "photoIds": [photo] }),
            "results { photoId deletedPhotoId userErrors { code } }",
        ),
        mutation(
            "deleteGallery",
            "DeleteGalleryInput",
            json!({ "galleryId": gallery }),
            "deletedGalleryId",
        ),
    ]
}
