//! Keyset pages: a cursor says after which row to go on; there is no OFFSET.

use sea_orm::{
    ColumnTrait, Condition, EntityTrait, Order, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, Select,
};
use uuid::Uuid;
use wire::opaque;

use crate::error::{Error, Result};

/// The pricing of documents assumes the same.
pub use wire::price::MAX_FIRST;

/// The place of a row in its order: the sort key, then the id that breaks ties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Sort key: a [`entity::Timestamp`]'s microseconds or a count.
    pub key: i64,
    /// Row id.
    pub id: Uuid,
}

impl Cursor {
    /// As clients see it.
    #[must_use]
    pub fn encode(self) -> String {
        opaque::write_place(self.key, self.id)
    }

    /// Reads what [`Cursor::encode`] wrote.
    ///
    /// # Errors
    /// [`Error::BadUserInput`] for anything else.
    pub fn decode(text: &str) -> Result<Self> {
        match opaque::read_place(text) {
            Some((key, id)) => Ok(Self { key, id }),
            None => Err(Error::BadUserInput(
                "`after` is not a cursor of this connection".into(),
            )),
        }
    }
}

/// Which way a connection goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The smallest key first.
    Ascending,
    /// The largest key first.
    Descending,
}

impl Direction {
    /// For `ORDER BY`.
    #[must_use]
    pub fn order(self) -> Order {
        match self {
            Self::Ascending => Order::Asc,
            Self::Descending => Order::Desc,
        }
    }
}

/// What a connection's arguments ask for.
#[derive(Clone, Copy, Debug)]
pub struct PageRequest {
    /// Rows at most, 1 to [`MAX_FIRST`].
    pub first: u32,
    /// Go on after this row.
    pub after: Option<Cursor>,
}

impl PageRequest {
    /// Checks a connection's arguments.
    ///
    /// # Errors
    /// [`Error::BadUserInput`] for `first` outside 1 to [`MAX_FIRST`] or a forged cursor.
    pub fn new(first: i32, after: Option<&str>) -> Result<Self> {
        let first = u32::try_from(first)
            .ok()
            .filter(|first| (1..=MAX_FIRST).contains(first))
            .ok_or_else(|| Error::BadUserInput(format!("`first` must be from 1 to {MAX_FIRST}")))?;
        Ok(Self {
            first,
            after: after.map(Cursor::decode).transpose()?,
        })
    }

    /// The rows of `select` that the page wants, and one more: those behind the cursor, in the order of
    /// `key` and then `id`.
    #[must_use]
    pub fn of<E: EntityTrait>(
        &self,
        mut select: Select<E>,
        direction: Direction,
        key: impl ColumnTrait,
        id: impl ColumnTrait,
    ) -> Select<E> {
        if let Some(after) = self.after {
            // The bound on the key alone is redundant and lets the index serve on every database.
            let (bound, beyond, tie) = match direction {
                Direction::Ascending => (key.gte(after.key), key.gt(after.key), id.gt(after.id)),
                Direction::Descending => (key.lte(after.key), key.lt(after.key), id.lt(after.id)),
            };
            select = select
                .filter(bound)
                .filter(Condition::any().add(beyond).add(tie));
        }
        select
            .order_by(key, direction.order())
            .order_by(id, direction.order())
            .limit(u64::from(self.first) + 1)
    }
}

/// One page.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// Rows with their places.
    pub rows: Vec<(Cursor, T)>,
    /// Whether more follow.
    pub has_next: bool,
}

impl<T> Page<T> {
    /// From `first + 1` rows fetched: the one too many tells that more follow.
    pub fn of(mut rows: Vec<T>, request: &PageRequest, cursor: impl Fn(&T) -> Cursor) -> Self {
        let first = request.first as usize;
        let has_next = rows.len() > first;
        rows.truncate(first);
        Self {
            rows: rows.into_iter().map(|row| (cursor(&row), row)).collect(),
            has_next,
        }
    }

    /// The same page of other things.
    pub fn map<U>(self, mut f: impl FnMut(T) -> U) -> Page<U> {
        Page {
            rows: self
                .rows
                .into_iter()
                .map(|(cursor, row)| (cursor, f(row)))
                .collect(),
            has_next: self.has_next,
        }
    }
}
