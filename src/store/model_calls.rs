//! What calls to language models took: per case for whoever asks, and as sums for the spending caps.

use crate::domain::ids::{CaseId, CustomerId};
use crate::domain::time::Timestamp;
use crate::domain::usage::Spent;

use super::columns::Columns;
use super::people::same_person;
use super::{Store, StoreError};

/// What the models took for one case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ModelTotals {
    /// Calls, failed ones included.
    pub calls: i64,
    /// Tokens read.
    pub input_tokens: i64,
    /// Tokens written.
    pub output_tokens: i64,
    /// Time waited.
    pub milliseconds: i64,
    /// Millionths of the currency of the prices.
    pub cost_micros: i64,
}

impl std::ops::AddAssign for ModelTotals {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
        self.milliseconds += other.milliseconds;
        self.cost_micros += other.cost_micros;
    }
}

impl Store {
    /// What the models took for a case.
    pub async fn model_totals(&self, case: &CaseId) -> Result<ModelTotals, StoreError> {
        let sql = "select count(*) as calls, cast(coalesce(sum(input_tokens), 0) as bigint) as input_tokens,
            cast(coalesce(sum(output_tokens), 0) as bigint) as output_tokens,
            cast(coalesce(sum(milliseconds), 0) as bigint) as milliseconds,
            cast(coalesce(sum(cost_micros), 0) as bigint) as cost_micros
            from model_calls where case_id = $1 and model <> ''";
        let Some(row) = self.row(sqlx::query(sql).bind(case.as_str())).await? else {
            return Ok(ModelTotals::default());
        };
        let columns = Columns::of(&row, "model_calls");
        Ok(ModelTotals {
            calls: columns.int("calls")?,
            input_tokens: columns.int("input_tokens")?,
            output_tokens: columns.int("output_tokens")?,
            milliseconds: columns.int("milliseconds")?,
            cost_micros: columns.int("cost_micros")?,
        })
    }

    /// What was spent on models since a moment, for this customer and for everybody, and ever.
    pub async fn model_spent(&self, customer: &CustomerId, since: Timestamp) -> Result<Spent, StoreError> {
        let sql = concat!(
            "select
            cast((select coalesce(sum(cost_micros), 0) from model_calls
                where customer_id in ",
            same_person!(),
            " and at >= $2) as bigint) as customer_day,
            cast((select coalesce(sum(cost_micros), 0) from model_calls where at >= $2) as bigint) as day,
            cast((select coalesce(sum(cost_micros), 0) from model_calls) as bigint) as total"
        );
        let query = sqlx::query(sql).bind(customer.as_str()).bind(since.0);
        let Some(row) = self.row(query).await? else { return Ok(Spent::default()) };
        let columns = Columns::of(&row, "model_calls");
        Ok(Spent {
            customer_day_micros: columns.int("customer_day")?,
            day_micros: columns.int("day")?,
            total_micros: columns.int("total")?,
        })
    }
}
