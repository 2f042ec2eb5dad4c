//! `firstline customer export` and `erase`: one person, by our id or the operator's own.

use std::io::IsTerminal as _;

use anyhow::Context;

use super::super::{Failure, Globals, operations, output};
use crate::app::SystemClock;
use crate::domain::ids::CustomerId;
use crate::domain::time::Clock;
use crate::store::Store;

/// Begins the operator's own id of a person.
const EXTERNAL: &str = "external:";

pub(super) async fn export(globals: &Globals, id: &str) -> Result<(), Failure> {
    let (store, _) = operations::store(globals).await?;
    let customer = find(&store, id).await?;
    let found = store.export_customer(&customer).await.context("the record failed")?;
    store.close().await;
    output::json(&found.ok_or_else(|| nobody(id))?)?;
    Ok(())
}

pub(super) async fn erase(globals: &Globals, id: &str, yes: bool) -> Result<(), Failure> {
    let (store, _) = operations::store(globals).await?;
    let customer = find(&store, id).await?;
    if !yes && !confirmed(&customer)? {
        return Err(Failure::Found("nothing was erased".to_owned()));
    }
    let erased = store.erase_customer(&customer, SystemClock.now()).await.context("the record failed")?;
    store.close().await;
    let erased = erased.ok_or_else(|| nobody(id))?;
    output::line(&format!("{} case(s) and {} row(s) erased", erased.cases, erased.rows));
    if erased.forgotten {
        return Ok(());
    }
    Err(Failure::Found(
        "former rows are still in the database's files, because somebody kept reading them; run this again"
            .to_owned(),
    ))
}

/// Asks whoever sits before the terminal.
fn confirmed(customer: &CustomerId) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::Usage("an erasure cannot be undone; write --yes to mean it".to_owned()));
    }
    output::remark(&format!("everything about {customer} is erased for ever; write `yes` to go on"));
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("the answer could not be read")?;
    Ok(answer.trim() == "yes")
}

async fn find(store: &Store, id: &str) -> Result<CustomerId, Failure> {
    if let Some(external) = id.strip_prefix(EXTERNAL) {
        let found = store.customer_by_external_id(external).await.context("the record failed")?;
        return found.map(|customer| customer.id.clone()).ok_or_else(|| nobody(id));
    }
    CustomerId::parse(id).map_err(|_| nobody(id))
}

fn nobody(id: &str) -> Failure {
    Failure::Usage(format!("there is no customer `{id}`; write our id, or `{EXTERNAL}` and your own"))
}
