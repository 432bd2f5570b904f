//! How many jobs stand in the queue.

use entity::{Timestamp, job};
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait as _, SimpleExpr};
use sea_orm::{
    ColumnTrait as _, Condition, DbErr, EntityTrait as _, FromQueryResult, QuerySelect as _,
};

use crate::db::Db;

/// Jobs of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, FromQueryResult)]
pub struct KindCount {
    /// The kind.
    pub kind: String,
    /// Could be claimed now; a lease that ran out counts here.
    pub due: i64,
    /// Wait for their time.
    pub scheduled: i64,
    /// In the hands of workers.
    pub leased: i64,
    /// Given up.
    pub buried: i64,
    /// Since when the oldest due one has been due.
    pub oldest_due: Option<Timestamp>,
}

/// Counts by kind, in one statement. The table holds what is left to do, not what was done: reading
/// all of it is cheap.
///
/// # Errors
/// The database's.
pub async fn count(db: &Db, now: Timestamp) -> Result<Vec<KindCount>, DbErr> {
    let alive = || Condition::all().add(job::Column::BuriedAt.is_null());
    let due = || alive().add(job::Column::AvailableAt.lte(now));
    let waiting = || alive().add(job::Column::AvailableAt.gt(now));
    let scheduled = waiting().add(job::Column::LeaseToken.is_null());
    let leased = waiting().add(job::Column::LeaseToken.is_not_null());
    let buried = Condition::all().add(job::Column::BuriedAt.is_not_null());
    // COUNT of a CASE without ELSE: a sum would be a DECIMAL on MySQL.
    let number = |of: Condition| {
        let one: SimpleExpr = CaseStatement::new().case(of, 1).into();
        one.count()
    };
    let since: SimpleExpr = CaseStatement::new()
        .case(due(), Expr::col(job::Column::AvailableAt))
        .into();
    job::Entity::find()
        .select_only()
        .column(job::Column::Kind)
        .column_as(number(due()), "due")
        .column_as(number(scheduled), "scheduled")
        .column_as(number(leased), "leased")
        .column_as(number(buried), "buried")
        .column_as(since.min(), "oldest_due")
        .group_by(job::Column::Kind)
        .into_model::<KindCount>()
        .all(db.read())
        .await
}
