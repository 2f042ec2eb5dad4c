//! From rows to what they mean: the columns of each kind of thing and how they are read.

use serde::de::DeserializeOwned;
use serde::de::value::{Error as WordError, StrDeserializer};
use sqlx::Row as _;
use sqlx::any::AnyRow;

use crate::domain::ids::BadId;
use crate::domain::time::Timestamp;

use super::StoreError;

/// A row of a named kind, read column by column.
pub(super) struct Columns<'r> {
    row: &'r AnyRow,
    kind: &'static str,
}

impl<'r> Columns<'r> {
    pub(super) fn of(row: &'r AnyRow, kind: &'static str) -> Self {
        Self { row, kind }
    }

    fn corrupt(&self, column: &str) -> StoreError {
        StoreError::Corrupt { what: format!("{}.{column}", self.kind) }
    }

    pub(super) fn text(&self, column: &str) -> Result<String, StoreError> {
        self.row.try_get(column).map_err(|_| self.corrupt(column))
    }

    pub(super) fn maybe_text(&self, column: &str) -> Result<Option<String>, StoreError> {
        self.row.try_get(column).map_err(|_| self.corrupt(column))
    }

    pub(super) fn int(&self, column: &str) -> Result<i64, StoreError> {
        self.row.try_get(column).map_err(|_| self.corrupt(column))
    }

    pub(super) fn maybe_int(&self, column: &str) -> Result<Option<i64>, StoreError> {
        self.row.try_get(column).map_err(|_| self.corrupt(column))
    }

    pub(super) fn at(&self, column: &str) -> Result<Timestamp, StoreError> {
        Ok(Timestamp(self.int(column)?))
    }

    pub(super) fn maybe_at(&self, column: &str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.maybe_int(column)?.map(Timestamp))
    }

    pub(super) fn id<T: TryFrom<String, Error = BadId>>(&self, column: &str) -> Result<T, StoreError> {
        T::try_from(self.text(column)?).map_err(|_| self.corrupt(column))
    }

    pub(super) fn maybe_id<T: TryFrom<String, Error = BadId>>(
        &self,
        column: &str,
    ) -> Result<Option<T>, StoreError> {
        self.maybe_text(column)?.map(T::try_from).transpose().map_err(|_| self.corrupt(column))
    }

    /// The variant of an enum by the name it has in JSON.
    pub(super) fn word<T: DeserializeOwned>(&self, column: &str) -> Result<T, StoreError> {
        self.maybe_word(column)?.ok_or_else(|| self.corrupt(column))
    }

    pub(super) fn maybe_word<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>, StoreError> {
        let Some(text) = self.maybe_text(column)? else { return Ok(None) };
        T::deserialize(StrDeserializer::<WordError>::new(&text)).map(Some).map_err(|_| self.corrupt(column))
    }

    /// A name read by the type's own `parse`.
    pub(super) fn named<T>(&self, column: &str, parse: fn(&str) -> Option<T>) -> Result<T, StoreError> {
        parse(&self.text(column)?).ok_or_else(|| self.corrupt(column))
    }

    pub(super) fn maybe_named<T>(
        &self,
        column: &str,
        parse: fn(&str) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        match self.maybe_text(column)? {
            Some(text) => parse(&text).map(Some).ok_or_else(|| self.corrupt(column)),
            None => Ok(None),
        }
    }

    pub(super) fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T, StoreError> {
        serde_json::from_str(&self.text(column)?).map_err(|_| self.corrupt(column))
    }

    pub(super) fn maybe_json<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>, StoreError> {
        let text = self.maybe_text(column)?;
        text.map(|text| serde_json::from_str(&text)).transpose().map_err(|_| self.corrupt(column))
    }
}
