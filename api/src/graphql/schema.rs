//! The roots of the schema: every concept's queries and mutations, merged.

use async_graphql::connection::Connection;
use async_graphql::{MergedObject, MergedSubscription, SDLExportOptions, SchemaBuilder};
use chrono::{DateTime, Utc};

use super::Services;
use super::node::NodeQuery;
use crate::analysis::graphql::AnalysisMutation;
use crate::auth::graphql::{AuthMutation, AuthQuery};
use crate::event::graphql::EventSubscription;
use crate::gallery::graphql::{Gallery, GalleryMember, GalleryMutation, GalleryQuery};
use crate::page::Cursor;
use crate::people::graphql::{PeopleMutation, PeopleQuery, Person};
use crate::photo::graphql::{Photo, PhotoMutation, PhotoQuery};
use crate::share::graphql::{ShareLink, ShareMutation};
use crate::upload::graphql::UploadMutation;

type Page<T> = Connection<Cursor, T>;

/// The schema.
pub type Schema = async_graphql::Schema<Query, Mutation, Subscription>;

/// Everything that can be read.
#[derive(Default, MergedObject)]
pub struct Query(NodeQuery, AuthQuery, GalleryQuery, PhotoQuery, PeopleQuery);

/// Everything that can be changed.
#[derive(Default, MergedObject)]
pub struct Mutation(
    AuthMutation,
    GalleryMutation,
    UploadMutation,
    PhotoMutation,
    AnalysisMutation,
    PeopleMutation,
    ShareMutation,
);

/// Everything that can be followed.
#[derive(Default, MergedSubscription)]
pub struct Subscription(EventSubscription);

/// The schema, ready to execute.
#[must_use]
pub fn build_schema(services: Services) -> Schema {
    builder().data(services).finish()
}

/// The schema's text, the same for the same code: `schema.graphql`.
#[must_use]
pub fn sdl() -> String {
    let options = SDLExportOptions::new()
        .include_specified_by()
        .use_space_ident();
    let mut sdl = builder().finish().sdl_with_options(options);
    sdl.truncate(sdl.trim_end().len());
    sdl.push('\n');
    sdl
}

/// Limits are not set here: [`wire::price`] enforces them before the document gets this far.
fn builder() -> SchemaBuilder<Query, Mutation, Subscription> {
    Schema::build(
        Query::default(),
        Mutation::default(),
        Subscription::default(),
    )
    .disable_suggestions()
    // The library describes these in its own words, or not at all.
    .override_output_type_description::<Page<Gallery>>("A page of galleries.")
    .override_output_type_description::<Page<GalleryMember>>("A page of members.")
    .override_output_type_description::<Page<Person>>("A page of people.")
    .override_output_type_description::<Page<Photo>>("A page of photos.")
    .override_output_type_description::<Page<ShareLink>>("A page of share links.")
    .override_output_type_description::<DateTime<Utc>>(
        "A moment as RFC 3339 has it, for example `2026-07-18T16:30:00+00:00`.",
    )
}
