//! What a person may do and reach: a missing right is told, what is out of reach does not exist.

use std::sync::Arc;

use super::Edge;
use super::error::ApiError;
use super::extract::case_id;
use crate::domain::customer::Customer;
use crate::domain::role::{Reach, Right, may};
use crate::domain::team::Agent;
use crate::store::CaseFile;

/// Refuses a person whose role lacks a right.
pub(super) fn demand(person: &Agent, right: Right) -> Result<(), ApiError> {
    if may(person.role, right) {
        return Ok(());
    }
    let (role, what) = (person.role.as_str(), right.words());
    Err(ApiError::forbidden(format!(
        "`{}` has the role `{role}` and may not {what}; an administrator can change that",
        person.login
    )))
}

/// A case within reach, as the record has it now.
pub(super) async fn case(edge: &Edge, id: &str, reach: &Reach) -> Result<Arc<CaseFile>, ApiError> {
    let file = edge.app.store.case_fresh(&case_id(id)?).await?;
    file.filter(|file| reach.sees(&file.case)).ok_or_else(|| ApiError::not_found("case"))
}

/// A customer, if within reach.
pub(super) async fn customer(
    edge: &Edge,
    customer: Arc<Customer>,
    reach: &Reach,
) -> Result<Arc<Customer>, ApiError> {
    let reached = edge.app.store.reaches_customer(&customer.id, reach).await?;
    Some(customer).filter(|_| reached).ok_or_else(|| ApiError::not_found("customer"))
}
