//! How values of the domain lie in columns. Not which columns there are: that is `schema.sql`.

use std::fmt::Display;
use std::str::FromStr;

use millrace_domain::{StepIndex, Timestamp, Unit};
use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};

/// A value that is stored by its text form.
pub(super) struct Text<T>(pub(super) T);

impl<T: Display> ToSql for Text<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.0.to_string()))
    }
}

impl<T> FromSql for Text<T>
where
    T: FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str()?.parse().map(Self).map_err(FromSqlError::other)
    }
}

/// An instant, stored in milliseconds since the epoch.
pub(super) struct Millis(pub(super) Timestamp);

impl ToSql for Millis {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.0.as_millis()))
    }
}

impl FromSql for Millis {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Ok(Self(Timestamp::from_millis(value.as_i64()?)))
    }
}

/// A unit of a run, in the columns named `step`: the place of the step, and for an item of it 2^32 times the item's place
/// from 1 on top. So a step as a whole is simply its place, and each unit has one number.
pub(super) struct UnitColumn(pub(super) Unit);

impl ToSql for UnitColumn {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let Unit { step, item } = self.0;
        let item = item.map_or(0, |item| i64::from(item) + 1);
        // Lists are below 2^31 long by far: the sign stays out of it.
        Ok(ToSqlOutput::from(item << 32 | i64::from(step.0)))
    }
}

impl FromSql for UnitColumn {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = value.as_i64()?;
        let out_of_range = |_| FromSqlError::OutOfRange(number);
        let step = u32::try_from(number & i64::from(u32::MAX)).map_err(out_of_range)?;
        let item = u32::try_from(number >> 32).map_err(out_of_range)?;
        Ok(Self(Unit { step: StepIndex(step), item: item.checked_sub(1) }))
    }
}

/// The key of a run: the integer by which the database knows it.
pub(super) type RunKey = i64;

/// A number of rows, as LIMIT and OFFSET take it.
pub(super) fn rows(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Encodes a value that is stored as JSON.
pub(super) fn json<T: serde::Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// A value that is stored as JSON.
pub(super) struct Json<T>(pub(super) T);

impl<T: serde::de::DeserializeOwned> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?).map(Self).map_err(FromSqlError::other)
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn a_step_is_its_place_and_an_item_is_a_number_of_its_own() {
        let file = Connection::open_in_memory().unwrap();
        let stored = |unit: Unit| file.query_row("SELECT ?1", [UnitColumn(unit)], |row| row.get::<_, i64>(0));
        let read =
            |number: i64| file.query_row("SELECT ?1", [number], |row| Ok(row.get::<_, UnitColumn>(0)?.0));
        for (item, number) in [(None, 4), (Some(0), (1 << 32) + 4), (Some(99_999), (100_000 << 32) + 4)] {
            let unit = Unit { step: StepIndex(4), item };
            assert_eq!(stored(unit).unwrap(), number);
            assert_eq!(read(number).unwrap(), unit);
        }
        assert!(read(-1).is_err());
    }
}
