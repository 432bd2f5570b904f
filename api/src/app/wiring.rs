//! Services and jobs, made out of what the application holds.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use entity::gallery::Matcher;

use crate::analysis::job::{AnalyseHandler, AnalysisSettings};
use crate::analysis::media::{Media, MediaSettings};
use crate::analysis::service::AnalysisService;
use crate::auth::job::SweepTokens;
use crate::auth::limiter::Limiter;
use crate::auth::oidc::{Documents, ExternalIssuer};
use crate::auth::service::{AuthService, AuthSettings};
use crate::auth::token::TokenKeys;
use crate::clock::Clock;
use crate::config::Config;
use crate::db::Db;
use crate::event::hub::Hub;
use crate::event::job::SweepEvents;
use crate::event::service::EventService;
use crate::gallery::job::DeleteGallery;
use crate::gallery::service::GalleryService;
use crate::graphql::Services;
use crate::job::Handler;
use crate::job::worker::{WakeUp, Worker, WorkerSettings};
use crate::metrics::Metrics;
use crate::people::MatcherSettings;
use crate::people::job::GroupHandler;
use crate::people::overdue::GroupOverdue;
use crate::people::service::PeopleService;
use crate::photo::job::DeletePhoto;
use crate::photo::service::PhotoService;
use crate::share::service::ShareService;
use crate::shutdown::Shutdown;
use crate::storage::ObjectStore;
use crate::upload::job::ReapUploads;
use crate::upload::service::UploadService;
use crate::vision::Analyser;

/// What is needed to make services and jobs.
pub(super) struct Wiring<'a> {
    pub(super) config: &'a Config,
    pub(super) db: &'a Db,
    pub(super) clock: &'a Clock,
    pub(super) store: &'a Arc<dyn ObjectStore>,
    pub(super) analyser: &'a Arc<dyn Analyser>,
    pub(super) faces: MatcherSettings,
    pub(super) wake_up: WakeUp,
    pub(super) metrics: &'a Metrics,
}

impl Wiring<'_> {
    pub(super) fn services(&self, default_matcher: Matcher) -> Result<Services> {
        let (db, clock) = (self.db.clone(), self.clock.clone());
        let keys = TokenKeys::from_config(&self.config.tokens, &self.config.data_dir, self.clock)?;
        let limiter = Limiter::new(self.config.accounts.registrations_per_minute);
        let limiter = Arc::new(limiter);
        let auth = AuthService::new(
            db.clone(),
            clock.clone(),
            keys,
            Arc::clone(&limiter),
            AuthSettings {
                refresh_seconds: self.config.tokens.refresh_seconds,
                own_accounts: self.config.accounts.own,
                external: self.external()?,
            },
        )?;
        let auth = Arc::new(auth);
        let share = ShareService::new(db.clone(), clock.clone(), Arc::clone(&auth));
        let upload = UploadService::new(
            db.clone(),
            clock.clone(),
            Arc::clone(self.store),
            self.config.uploads.clone(),
            self.wake_up.clone(),
        );
        let analysis = AnalysisService::new(db.clone(), clock.clone(), self.wake_up.clone());
        let people = PeopleService::new(
            db.clone(),
            clock.clone(),
            Arc::clone(self.analyser),
            self.faces.clone(),
        );
        let poll = Duration::from_millis(u64::from(self.config.events.poll_milliseconds));
        let event = EventService::new(db.clone(), Hub::new(db.clone(), poll));
        Ok(Services {
            auth,
            gallery: Arc::new(GalleryService::new(
                db.clone(),
                clock.clone(),
                limiter,
                default_matcher,
            )),
            photo: Arc::new(PhotoService::new(db, clock)),
            upload: Arc::new(upload),
            analysis: Arc::new(analysis),
            people: Arc::new(people),
            share: Arc::new(share),
            event: Arc::new(event),
        })
    }

    /// The issuer whose tokens count besides our own, if there is one.
    fn external(&self) -> Result<Option<ExternalIssuer>> {
        let oidc = &self.config.oidc;
        let (Some(issuer), Some(audience)) = (&oidc.issuer, &oidc.audience) else {
            return Ok(None);
        };
        let documents = Arc::new(Documents::new(self.metrics.clone())?);
        let clock = self.clock.clone();
        Ok(Some(ExternalIssuer::new(
            issuer, audience, documents, clock,
        )))
    }

    pub(super) fn worker(&self, services: &Services) -> Worker {
        let (db, clock, store) = (self.db, self.clock, self.store);
        let media = Media::new(MediaSettings {
            max_pixels: self.config.uploads.max_pixels,
            memory: u64::from(self.config.worker.decode_memory_mb) << 20,
            files: self.config.uploads.max_byte_size,
        });
        let analyse = AnalyseHandler::new(
            db.clone(),
            clock.clone(),
            Arc::clone(store),
            Arc::clone(self.analyser),
            media,
            AnalysisSettings {
                max_byte_size: self.config.uploads.max_byte_size,
                min_label_confidence: self.config.rekognition.min_label_confidence,
            },
        );
        let group = GroupHandler::new(
            db.clone(),
            clock.clone(),
            Arc::clone(store),
            Arc::clone(self.analyser),
            self.faces.clone(),
        );
        let delete_photo = DeletePhoto {
            db: db.clone(),
            clock: clock.clone(),
            late_seconds: self.config.uploads.reap_after_seconds,
            store: Arc::clone(store),
            people: Arc::clone(&services.people),
        };
        let delete_gallery = DeleteGallery {
            db: db.clone(),
            clock: clock.clone(),
            store: Arc::clone(store),
            people: Arc::clone(&services.people),
        };
        let handlers: Vec<Arc<dyn Handler>> = vec![
            Arc::new(analyse),
            Arc::new(group),
            Arc::new(GroupOverdue { db: db.clone() }),
            Arc::new(delete_photo),
            Arc::new(delete_gallery),
            Arc::new(ReapUploads::new(
                Arc::clone(&services.upload),
                self.metrics.clone(),
            )),
            Arc::new(SweepTokens {
                auth: Arc::clone(&services.auth),
            }),
            Arc::new(SweepEvents {
                db: db.clone(),
                clock: clock.clone(),
                retention_seconds: self.config.events.retention_seconds,
            }),
        ];
        let settings = WorkerSettings {
            concurrency: self.config.worker.concurrency as usize,
            lease_seconds: self.config.worker.lease_seconds,
            max_attempts: self.config.worker.max_attempts,
            grace: Shutdown::of(self.config.shutdown_seconds).work,
        };
        Worker::measured(
            db.clone(),
            clock.clone(),
            handlers,
            self.wake_up.clone(),
            settings,
            self.metrics.clone(),
        )
    }
}
