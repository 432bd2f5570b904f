//! Collections on disk, with every face of the collections in use held in memory as well.
//!
//! SQLite is the truth and is read once for each collection; searches scan memory. A change is
//! written to the database first and to memory after, under one lock and in a task of its own, so
//! that a client that hangs up cannot leave the two apart. One process owns the file.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sea_orm::sqlx::{self, Row, SqlitePool};
use tokio::sync::RwLock;
use uuid::Uuid;
use vision::{BoundingBox, Embedding};

const FILE_NAME: &str = "rekognition.sqlite";

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS collection (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    created_millis INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS face (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    collection_id INTEGER NOT NULL REFERENCES collection (id) ON DELETE CASCADE,
    face_id BLOB NOT NULL UNIQUE,
    image_id BLOB NOT NULL,
    external_image_id TEXT,
    box_left REAL NOT NULL,
    box_top REAL NOT NULL,
    box_width REAL NOT NULL,
    box_height REAL NOT NULL,
    confidence REAL NOT NULL,
    embedding BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS face_by_collection ON face (collection_id, sequence);
";

/// Why the store refuses or fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// No collection of this name.
    #[error("no collection {0}")]
    NoCollection(String),
    /// A collection of this name is there.
    #[error("the collection {0} exists")]
    CollectionExists(String),
    /// The folder or file cannot be made.
    #[error("{path}: {source}")]
    Io {
        /// Which one.
        path: String,
        /// What the operating system says.
        #[source]
        source: std::io::Error,
    },
    /// The database refuses.
    #[error("the collections' database: {0}")]
    Database(#[from] sqlx::Error),
    /// A row that this program did not write.
    #[error("the collections' database holds an unreadable face")]
    Corrupt,
    /// A task was cut off: the process is ending.
    #[error("interrupted: {0}")]
    Interrupted(#[from] tokio::task::JoinError),
}

/// A face in a collection.
#[derive(Clone, Debug)]
pub(crate) struct StoredFace {
    /// Order of arrival over all collections; 0 until stored.
    pub(crate) sequence: i64,
    pub(crate) face_id: Uuid,
    pub(crate) image_id: Uuid,
    pub(crate) external_image_id: Option<String>,
    pub(crate) bounding_box: BoundingBox,
    pub(crate) confidence: f32,
    pub(crate) embedding: Embedding,
}

/// What is known of a collection without its faces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CollectionInfo {
    /// Grows with each collection and is never used again, other than the name.
    pub(crate) id: i64,
    pub(crate) name: String,
    /// Milliseconds since 1970.
    pub(crate) created_millis: i64,
}

struct Collection {
    info: CollectionInfo,
    /// In order of arrival; `None` until somebody asks.
    faces: Option<Arc<Vec<StoredFace>>>,
}

/// The collections. Clones share them.
#[derive(Clone)]
pub(crate) struct Store {
    database: SqlitePool,
    collections: Arc<RwLock<BTreeMap<String, Collection>>>,
}

impl Store {
    /// Opens or makes the database in `folder`.
    pub(crate) async fn open(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(FILE_NAME);
        make_private(folder, &path).map_err(|source| StoreError::Io {
            path: path.display().to_string(),
            source,
        })?;
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            // Faces that are deleted leave no trace in free pages.
            .pragma("secure_delete", "ON")
            .busy_timeout(Duration::from_secs(10));
        // One connection: SQLite has one writer, and reading happens once for each collection.
        let database = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options)
            .await?;
        sqlx::raw_sql(SCHEMA).execute(&database).await?;
        let collections = sqlx::query("SELECT id, name, created_millis FROM collection")
            .fetch_all(&database)
            .await?
            .iter()
            .map(|row| {
                let info = CollectionInfo {
                    id: row.try_get(0)?,
                    name: row.try_get(1)?,
                    created_millis: row.try_get(2)?,
                };
                Ok((info.name.clone(), Collection { info, faces: None }))
            })
            .collect::<Result<_, sqlx::Error>>()?;
        Ok(Self {
            database,
            collections: Arc::new(RwLock::new(collections)),
        })
    }

    /// Every collection, oldest first.
    pub(crate) async fn list(&self) -> Vec<CollectionInfo> {
        let collections = self.collections.read().await;
        let mut all: Vec<_> = collections
            .values()
            .map(|entry| entry.info.clone())
            .collect();
        all.sort_by_key(|info| info.id);
        all
    }

    /// A collection and its faces in order of arrival.
    pub(crate) async fn faces(
        &self,
        name: &str,
    ) -> Result<(CollectionInfo, Arc<Vec<StoredFace>>), StoreError> {
        let missing = || StoreError::NoCollection(name.to_owned());
        {
            let collections = self.collections.read().await;
            let entry = collections.get(name).ok_or_else(missing)?;
            if let Some(faces) = &entry.faces {
                return Ok((entry.info.clone(), Arc::clone(faces)));
            }
        }
        let mut collections = self.collections.write().await;
        let entry = collections.get_mut(name).ok_or_else(missing)?;
        let info = entry.info.clone();
        let faces = self.loaded(entry).await?;
        Ok((info, Arc::clone(faces)))
    }

    /// Makes an empty collection.
    pub(crate) async fn create(&self, name: String, now_millis: i64) -> Result<(), StoreError> {
        let store = self.clone();
        tokio::spawn(async move {
            let mut collections = store.collections.write().await;
            if collections.contains_key(&name) {
                return Err(StoreError::CollectionExists(name));
            }
            let id = sqlx::query("INSERT INTO collection (name, created_millis) VALUES (?, ?)")
                .bind(&name)
                .bind(now_millis)
                .execute(&store.database)
                .await?
                .last_insert_rowid();
            let info = CollectionInfo {
                id,
                name: name.clone(),
                created_millis: now_millis,
            };
            let faces = Some(Arc::default());
            collections.insert(name, Collection { info, faces });
            Ok(())
        })
        .await?
    }

    /// Deletes a collection with all its faces.
    pub(crate) async fn delete(&self, name: String) -> Result<(), StoreError> {
        let store = self.clone();
        tokio::spawn(async move {
            let mut collections = store.collections.write().await;
            let Some(entry) = collections.get(&name) else {
                return Err(StoreError::NoCollection(name));
            };
            sqlx::query("DELETE FROM collection WHERE id = ?")
                .bind(entry.info.id)
                .execute(&store.database)
                .await?;
            collections.remove(&name);
            store.forget_deleted().await
        })
        .await?
    }

    /// Adds faces, all or none.
    pub(crate) async fn add(
        &self,
        name: String,
        mut faces: Vec<StoredFace>,
    ) -> Result<(), StoreError> {
        let store = self.clone();
        tokio::spawn(async move {
            let mut collections = store.collections.write().await;
            let Some(entry) = collections.get_mut(&name) else {
                return Err(StoreError::NoCollection(name));
            };
            let id = entry.info.id;
            // Read before the insert, or the new faces would be added to memory twice.
            let known = store.loaded(entry).await?;
            let mut transaction = store.database.begin().await?;
            for face in &mut faces {
                face.sequence = insert(&mut transaction, id, face).await?;
            }
            transaction.commit().await?;
            Arc::make_mut(known).append(&mut faces);
            Ok(())
        })
        .await?
    }

    /// Removes faces; answers which of them were there.
    pub(crate) async fn remove(
        &self,
        name: String,
        face_ids: Vec<Uuid>,
    ) -> Result<Vec<Uuid>, StoreError> {
        let store = self.clone();
        tokio::spawn(async move {
            let mut collections = store.collections.write().await;
            let Some(entry) = collections.get_mut(&name) else {
                return Err(StoreError::NoCollection(name));
            };
            let id = entry.info.id;
            let known = store.loaded(entry).await?;
            let mut removed = Vec::new();
            let mut transaction = store.database.begin().await?;
            for face_id in face_ids {
                let gone = sqlx::query("DELETE FROM face WHERE collection_id = ? AND face_id = ?")
                    .bind(id)
                    .bind(face_id.as_bytes().as_slice())
                    .execute(&mut *transaction)
                    .await?;
                if gone.rows_affected() > 0 {
                    removed.push(face_id);
                }
            }
            transaction.commit().await?;
            Arc::make_mut(known).retain(|face| !removed.contains(&face.face_id));
            store.forget_deleted().await?;
            Ok(removed)
        })
        .await?
    }

    /// Lets what is being written finish and closes the file.
    pub(crate) async fn close(&self) {
        self.database.close().await;
    }

    /// The faces of a collection in memory, read from the database the first time.
    async fn loaded<'a>(
        &self,
        entry: &'a mut Collection,
    ) -> Result<&'a mut Arc<Vec<StoredFace>>, StoreError> {
        let faces = match entry.faces.take() {
            Some(faces) => faces,
            None => Arc::new(self.read(entry.info.id).await?),
        };
        Ok(entry.faces.insert(faces))
    }

    async fn read(&self, collection_id: i64) -> Result<Vec<StoredFace>, StoreError> {
        sqlx::query(
            "SELECT sequence, face_id, image_id, external_image_id, box_left, box_top, box_width, \
             box_height, confidence, embedding FROM face WHERE collection_id = ? ORDER BY sequence",
        )
        .bind(collection_id)
        .fetch_all(&self.database)
        .await?
        .iter()
        .map(face)
        .collect()
    }

    /// The write-ahead log still holds what was deleted; it is emptied at once, since these are
    /// people's faces.
    async fn forget_deleted(&self) -> Result<(), StoreError> {
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(&self.database)
            .await?;
        Ok(())
    }
}

async fn insert(
    transaction: &mut sqlx::SqliteTransaction<'_>,
    collection_id: i64,
    face: &StoredFace,
) -> Result<i64, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO face (collection_id, face_id, image_id, external_image_id, box_left, box_top, \
         box_width, box_height, confidence, embedding) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(collection_id)
    .bind(face.face_id.as_bytes().as_slice())
    .bind(face.image_id.as_bytes().as_slice())
    .bind(face.external_image_id.as_deref())
    .bind(face.bounding_box.left)
    .bind(face.bounding_box.top)
    .bind(face.bounding_box.width)
    .bind(face.bounding_box.height)
    .bind(face.confidence)
    .bind(face.embedding.as_bytes().as_slice())
    .execute(&mut **transaction)
    .await?;
    Ok(done.last_insert_rowid())
}

fn face(row: &SqliteRow) -> Result<StoredFace, StoreError> {
    let uuid = |column: usize| -> Result<Uuid, StoreError> {
        Uuid::from_slice(row.try_get(column)?).map_err(|_| StoreError::Corrupt)
    };
    Ok(StoredFace {
        sequence: row.try_get(0)?,
        face_id: uuid(1)?,
        image_id: uuid(2)?,
        external_image_id: row.try_get(3)?,
        bounding_box: BoundingBox {
            left: row.try_get(4)?,
            top: row.try_get(5)?,
            width: row.try_get(6)?,
            height: row.try_get(7)?,
        },
        confidence: row.try_get(8)?,
        embedding: Embedding::from_bytes(row.try_get(9)?).ok_or(StoreError::Corrupt)?,
    })
}

/// Makes folder and file, the file for the owner only; SQLite gives its side files the same
/// rights.
fn make_private(folder: &Path, path: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path).map(drop)
}
