//! Who may do what: each route, the roles that are let in, and what they get.

use firstline::domain::role::Role;

/// One route.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) method: &'static str,
    /// As it is declared.
    pub(super) route: &'static str,
    /// The same with what the test fills in.
    pub(super) path: &'static str,
    pub(super) query: &'static str,
    pub(super) body: &'static str,
    /// What `{id}` is of. One of another team is not there for those who do not see every team.
    pub(super) of: Thing,
    pub(super) may: &'static [Role],
    /// What those get who are let in. Bodies are mostly empty, so that one call does not spoil the next.
    pub(super) admitted: &'static [u16],
    /// Nobody needs to be signed in.
    pub(super) open: bool,
    /// Whoever was let in is signed out afterwards.
    pub(super) ends_session: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thing {
    Nothing,
    Case,
    Customer,
    File,
}

const EVERYBODY: &[Role] = &Role::ALL;
const LOGGED: &[Role] = &[Role::Agent, Role::Supervisor, Role::Admin, Role::Auditor];
const WORKERS: &[Role] = &[Role::Agent, Role::Supervisor, Role::Admin];
const LEADERS: &[Role] = &[Role::Supervisor, Role::Admin];
const SEERS: &[Role] = &[Role::Viewer, Role::Supervisor, Role::Admin, Role::Auditor];
const ADMIN: &[Role] = &[Role::Admin];
const OVERSEERS: &[Role] = &[Role::Supervisor, Role::Admin, Role::Auditor];
const EXPORTERS: &[Role] = &[Role::Admin, Role::Auditor];

const fn row(
    (method, path): (&'static str, &'static str),
    of: Thing,
    may: &'static [Role],
    admitted: &'static [u16],
) -> Row {
    Row {
        method,
        route: path,
        path,
        query: "",
        body: "",
        of,
        may,
        admitted,
        open: false,
        ends_session: false,
    }
}

use Thing::{Case, Customer, File, Nothing};

/// Every call of `/openapi.json`, and `/metrics`.
pub(super) const API: [Row; 41] = [
    row(("POST", "/v1/cases/{id}/csat"), Case, ADMIN, &[400]),
    row(("GET", "/v1/queue"), Nothing, EVERYBODY, &[200]),
    row(("POST", "/v1/cases/{id}/accept"), Case, WORKERS, &[400, 409]),
    row(("POST", "/v1/cases/{id}/decline"), Case, WORKERS, &[400, 409]),
    row(("GET", "/v1/presence"), Nothing, EVERYBODY, &[200]),
    row(("PUT", "/v1/presence"), Nothing, WORKERS, &[200, 400]),
    row(("GET", "/v1/cases"), Nothing, EVERYBODY, &[200]),
    row(("GET", "/v1/cases/{id}"), Case, EVERYBODY, &[200]),
    row(("GET", "/v1/cases/{id}/messages"), Case, EVERYBODY, &[200]),
    row(("GET", "/v1/cases/{id}/events"), Case, LOGGED, &[200]),
    row(("GET", "/v1/cases/{id}/handoff"), Case, EVERYBODY, &[404]),
    row(("GET", "/v1/cases/{id}/stream"), Case, EVERYBODY, &[200]),
    row(("GET", "/v1/cases/{id}/deliveries"), Case, EVERYBODY, &[200]),
    row(("GET", "/v1/cases/{id}/approvals"), Case, EVERYBODY, &[200]),
    row(("POST", "/v1/cases/{id}/replies"), Case, WORKERS, &[400]),
    row(("POST", "/v1/cases/{id}/notes"), Case, WORKERS, &[400]),
    row(("POST", "/v1/cases/{id}/assign"), Case, WORKERS, &[200, 409]),
    row(("POST", "/v1/cases/{id}/snooze"), Case, WORKERS, &[400]),
    row(("POST", "/v1/cases/{id}/resolve"), Case, WORKERS, &[200, 409]),
    row(("POST", "/v1/cases/{id}/reopen"), Case, WORKERS, &[200, 409]),
    row(("POST", "/v1/cases/{id}/return"), Case, WORKERS, &[200, 409]),
    row(("POST", "/v1/cases/{id}/approvals/{approval}/approve"), Case, WORKERS, &[404]),
    row(("POST", "/v1/cases/{id}/approvals/{approval}/refuse"), Case, WORKERS, &[404]),
    row(("POST", "/v1/cases/{id}/deliveries/{delivery}/retry"), Case, WORKERS, &[404]),
    row(("GET", "/v1/attachments/{id}"), File, EVERYBODY, &[200]),
    row(("GET", "/v1/customers/{id}"), Customer, EVERYBODY, &[200]),
    row(("GET", "/v1/customers/{id}/timeline"), Customer, EVERYBODY, &[200]),
    row(("GET", "/v1/customers/{id}/matches"), Customer, EVERYBODY, &[200]),
    row(("POST", "/v1/customers/{id}/identities"), Customer, LEADERS, &[400]),
    Row {
        query: "?channel=email&address=nobody@shop.example",
        ..row(("DELETE", "/v1/customers/{id}/identities"), Customer, LEADERS, &[404])
    },
    row(("POST", "/v1/customers/{id}/merge"), Customer, LEADERS, &[400]),
    row(("POST", "/v1/customers/{id}/unmerge"), Customer, LEADERS, &[400]),
    Row { query: "?q=hours", ..row(("GET", "/v1/knowledge/search"), Nothing, EVERYBODY, &[200]) },
    row(("GET", "/v1/reports"), Nothing, SEERS, &[200]),
    row(("GET", "/v1/reports/{measure}"), Nothing, SEERS, &[200]),
    row(("POST", "/v1/messages"), Nothing, ADMIN, &[400]),
    row(("GET", "/metrics"), Nothing, ADMIN, &[200]),
    row(("GET", "/v1/webhooks/deliveries"), Nothing, ADMIN, &[200]),
    row(("POST", "/v1/webhooks/deliveries/{delivery}/retry"), Nothing, ADMIN, &[404]),
    row(("GET", "/v1/customers/{id}/export"), Customer, EXPORTERS, &[200]),
    // The last, because nothing is left of whom it is about.
    row(("DELETE", "/v1/customers/{id}"), Customer, ADMIN, &[200]),
];

const fn act(path: &'static str, may: &'static [Role], admitted: &'static [u16]) -> Row {
    Row { route: "/console/cases/{id}/{act}", ..row(("POST", path), Case, may, admitted) }
}

const fn open(method: &'static str, path: &'static str, admitted: &'static [u16]) -> Row {
    Row { open: true, ..row((method, path), Nothing, EVERYBODY, admitted) }
}

const fn own(path: &'static str, admitted: &'static [u16]) -> Row {
    Row { route: "/console/second-factor/{act}", ..row(("POST", path), Nothing, EVERYBODY, admitted) }
}

/// Of an account that there is not, so that nobody of the test is changed.
const fn account(path: &'static str, may: &'static [Role]) -> Row {
    Row { route: "/console/accounts/{id}/{act}", ..row(("POST", path), Nothing, may, &[404]) }
}

/// Every route of the console.
pub(super) const CONSOLE: &[Row] = &[
    open("GET", "/console/offers.css", &[200]),
    open("GET", "/console/offers.js", &[200]),
    row(("GET", "/console/offers"), Nothing, EVERYBODY, &[200]),
    row(("POST", "/console/presence"), Nothing, WORKERS, &[204]),
    Row {
        route: "/console/offers/{id}/{answer}",
        ..row(("POST", "/console/offers/{id}/accept"), Case, WORKERS, &[409])
    },
    open("GET", "/console/login", &[200]),
    open("POST", "/console/login", &[400, 429]),
    open("GET", "/console/login/code", &[303]),
    open("POST", "/console/login/code", &[303]),
    open("GET", "/console/oidc", &[404]),
    open("GET", "/console/oidc/callback", &[403]),
    open("GET", "/console/console.css", &[200]),
    open("GET", "/console/accounts.css", &[200]),
    open("GET", "/console/reports.css", &[200]),
    row(("GET", "/console/reports"), Nothing, SEERS, &[200]),
    row(("GET", "/console/reports/cases"), Nothing, SEERS, &[200]),
    open("GET", "/console/scripts/{name}", &[404]),
    row(("GET", "/console"), Nothing, EVERYBODY, &[200]),
    row(("GET", "/console/day"), Nothing, EVERYBODY, &[200]),
    row(("POST", "/console/views"), Nothing, EVERYBODY, &[400]),
    row(("POST", "/console/theme"), Nothing, EVERYBODY, &[303]),
    row(("POST", "/console/measure"), Nothing, EVERYBODY, &[200]),
    row(("POST", "/console/cases/{id}/here"), Case, EVERYBODY, &[200]),
    row(("POST", "/console/cases/{id}/suggest"), Case, WORKERS, &[200]),
    row(("GET", "/console/cases/{id}/macros/{name}"), Case, WORKERS, &[404]),
    row(("POST", "/console/cases/{id}/files"), Case, WORKERS, &[403]),
    row(("POST", "/console/cases/{id}/files/{file}"), Case, WORKERS, &[200, 404]),
    act("/console/cases/{id}/assign", WORKERS, &[400]),
    act("/console/cases/{id}/snooze", WORKERS, &[400]),
    act("/console/cases/{id}/look-up", WORKERS, &[422]),
    act("/console/cases/{id}/merge", LEADERS, &[400]),
    act("/console/cases/{id}/unmerge", LEADERS, &[400]),
    row(("GET", "/console/cases/{id}"), Case, EVERYBODY, &[200]),
    row(("GET", "/console/cases/{id}/stream"), Case, EVERYBODY, &[200]),
    row(("GET", "/console/attachments/{id}"), File, EVERYBODY, &[200]),
    // This file is there, and is no page of a mail.
    row(("GET", "/console/originals/{id}"), File, EVERYBODY, &[404]),
    act("/console/cases/{id}/reply", WORKERS, &[400]),
    act("/console/cases/{id}/take", WORKERS, &[303, 409]),
    act("/console/cases/{id}/release", WORKERS, &[303, 409]),
    act("/console/cases/{id}/resolve", WORKERS, &[303, 409]),
    act("/console/cases/{id}/reopen", WORKERS, &[303, 409]),
    act("/console/cases/{id}/return", WORKERS, &[303, 409]),
    act("/console/cases/{id}/send-again", WORKERS, &[404]),
    act("/console/cases/{id}/approve", WORKERS, &[404]),
    act("/console/cases/{id}/refuse", WORKERS, &[404]),
    row(("GET", "/console/account"), Nothing, EVERYBODY, &[200]),
    Row { body: "session=none", ..row(("POST", "/console/account/sessions"), Nothing, EVERYBODY, &[404]) },
    row(("GET", "/console/second-factor"), Nothing, EVERYBODY, &[200]),
    own("/console/second-factor/begin", &[303]),
    own("/console/second-factor/confirm", &[422, 429]),
    own("/console/second-factor/off", &[422, 429]),
    row(("GET", "/console/accounts"), Nothing, OVERSEERS, &[200]),
    row(("POST", "/console/accounts"), Nothing, ADMIN, &[422]),
    account("/console/accounts/none/change", ADMIN),
    account("/console/accounts/none/password", ADMIN),
    account("/console/accounts/none/second-factor", LEADERS),
    account("/console/accounts/none/subject", ADMIN),
    account("/console/accounts/none/remove", ADMIN),
    row(("GET", "/console/webhooks"), Nothing, ADMIN, &[200]),
    row(("POST", "/console/webhooks"), Nothing, ADMIN, &[404]),
    row(("GET", "/console/password"), Nothing, EVERYBODY, &[200]),
    row(("POST", "/console/password"), Nothing, EVERYBODY, &[422, 429]),
    Row { ends_session: true, ..row(("POST", "/console/logout"), Nothing, EVERYBODY, &[303]) },
];
