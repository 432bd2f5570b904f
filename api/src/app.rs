//! The composition: the only place that names adapters.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use aws_config::BehaviorVersion;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use axum::Router;
use axum::serve::ListenerExt as _;
use entity::gallery::Matcher;
use local::{LocalAws, LocalConfig};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::analysis::job::Analyse;
use crate::analysis::service::AnalysisService;
use crate::auth::service::AuthService;
use crate::clock::Clock;
use crate::config::Config;
use crate::db::Db;
use crate::gallery::job::DeleteGallery;
use crate::gallery::service::GalleryService;
use crate::graphql::Services;
use crate::job::worker::Worker;
use crate::people::job::GroupFaces;
use crate::people::service::PeopleService;
use crate::photo::job::DeletePhoto;
use crate::photo::service::PhotoService;
use crate::storage::ObjectStore;
use crate::storage::presign::GetSigner;
use crate::storage::s3::{S3Settings, S3Store};
use crate::upload::job::ReapUploads;
use crate::upload::service::UploadService;
use crate::vision::Analyser;
use crate::vision::rekognition::{Rekognition, RekognitionSettings};

/// Bucket of the local stand-in.
const LOCAL_BUCKET: &str = "eventgallery";
