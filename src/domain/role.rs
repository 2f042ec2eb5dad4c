//! Who may do what: five roles, the rights of each in one table, and which teams' cases a person reaches.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::case::Case;
use super::ids::{AgentId, TeamId};
use super::team::Agent;

/// What kind of work a person does here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks on.
    Viewer,
    /// Answers customers.
    Agent,
    /// Leads agents, over all teams.
    Supervisor,
    /// Runs the installation.
    Admin,
    /// Reads everything and changes nothing.
    Auditor,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] = [Self::Viewer, Self::Agent, Self::Supervisor, Self::Admin, Self::Auditor];

    /// The name used on the command line and in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Agent => "agent",
            Self::Supervisor => "supervisor",
            Self::Admin => "admin",
            Self::Auditor => "auditor",
        }
    }

    /// Reads the name used on the command line and in the record.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

/// One thing that a role allows or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Read the cases within reach and their customers.
    SeeCases,
    /// Reach the cases of every team.
    SeeAllTeams,
    /// Reply, note, take, snooze, resolve, give back to the queue or the assistant.
    Act,
    /// Give cases to other people.
    AssignOthers,
    /// Decide about writes that wait for a person.
    Approve,
    /// Say whose an address is, and which customers are one person.
    MergeCustomers,
    /// Read the measures.
    SeeReports,
    /// See who has an account and what became of it.
    SeeAccounts,
    /// Take away a lost second factor of those who answer customers.
    ResetSecondFactors,
    /// Make, change and remove accounts.
    ManageAccounts,
    /// Read the log of a case.
    SeeLog,
    /// Take out everything about a customer.
    Export,
    /// Erase a customer.
    Erase,
    /// What is left: the installation itself.
    Administer,
}

impl Right {
    /// Every right.
    pub const ALL: [Self; 14] = [
        Self::SeeCases,
        Self::SeeAllTeams,
        Self::Act,
        Self::AssignOthers,
        Self::Approve,
        Self::MergeCustomers,
        Self::SeeReports,
        Self::SeeAccounts,
        Self::ResetSecondFactors,
        Self::ManageAccounts,
        Self::SeeLog,
        Self::Export,
        Self::Erase,
        Self::Administer,
    ];

    /// What it is called where it is missing: "… to".
    pub fn words(self) -> &'static str {
        match self {
            Self::SeeCases => "read cases",
            Self::SeeAllTeams => "see the cases of every team",
            Self::Act => "act on cases",
            Self::AssignOthers => "give cases to other people",
            Self::Approve => "decide about what waits for approval",
            Self::MergeCustomers => "say who is who among the customers",
            Self::SeeReports => "read the reports",
            Self::SeeAccounts => "see the accounts",
            Self::ResetSecondFactors => "take away a second factor",
            Self::ManageAccounts => "manage accounts",
            Self::SeeLog => "read the log",
            Self::Export => "take out everything about a customer",
            Self::Erase => "erase customers",
            Self::Administer => "administer the installation",
        }
    }
}

/// The table: what each role may do.
fn rights(role: Role) -> &'static [Right] {
    match role {
        Role::Viewer => &[Right::SeeCases, Right::SeeReports],
        Role::Agent => &[Right::SeeCases, Right::Act, Right::Approve, Right::SeeLog],
        Role::Supervisor => &[
            Right::SeeCases,
            Right::SeeAllTeams,
            Right::Act,
            Right::AssignOthers,
            Right::Approve,
            Right::MergeCustomers,
            Right::SeeReports,
            Right::SeeAccounts,
            Right::ResetSecondFactors,
            Right::SeeLog,
        ],
        Role::Admin => &Right::ALL,
        Role::Auditor => &[
            Right::SeeCases,
            Right::SeeAllTeams,
            Right::SeeReports,
            Right::SeeAccounts,
            Right::SeeLog,
            Right::Export,
        ],
    }
}

/// Whether a role allows something.
pub fn may(role: Role, right: Right) -> bool {
    rights(role).contains(&right)
}

/// Which cases somebody reaches. What is out of reach does not exist for them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Reach {
    /// All.
    #[default]
    All,
    /// All but those of some teams, save what is assigned to them.
    Within {
        /// Who.
        agent: AgentId,
        /// The teams whose cases they do not see.
        hidden: BTreeSet<TeamId>,
    },
}

impl Reach {
    /// How far a person reaches where these teams are declared: as far as their own teams, the cases of no team, and
    /// those assigned to them. A team that nobody declares (any more) is no team.
    pub fn of(agent: &Agent, declared: impl IntoIterator<Item = TeamId>) -> Self {
        if may(agent.role, Right::SeeAllTeams) {
            return Self::All;
        }
        let hidden = declared.into_iter().filter(|team| !agent.teams.contains(team)).collect();
        Self::Within { agent: agent.id.clone(), hidden }
    }

    /// Whether a case is within reach.
    pub fn sees(&self, case: &Case) -> bool {
        match self {
            Self::All => true,
            Self::Within { agent, .. } => {
                case.agent.as_ref() == Some(agent) || self.covers(case.team.as_ref())
            }
        }
    }

    /// Whether the cases of a team are within reach, whoever has them.
    pub fn covers(&self, team: Option<&TeamId>) -> bool {
        match self {
            Self::All => true,
            Self::Within { hidden, .. } => team.is_none_or(|team| !hidden.contains(team)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    fn person(role: Role, teams: &[&str]) -> Agent {
        Agent {
            id: AgentId::parse("eva").unwrap(),
            login: "eva".to_owned(),
            name: "Eva".to_owned(),
            password_hash: String::new(),
            role,
            teams: teams.iter().map(|team| TeamId::parse(team).unwrap()).collect(),
            languages: Vec::new(),
            created_at: Timestamp(0),
            password_chosen_at: None,
        }
    }

    #[test]
    fn only_those_who_answer_customers_may_change_anything_of_theirs() {
        let changes = [Right::Act, Right::AssignOthers, Right::Approve, Right::MergeCustomers, Right::Erase];
        for role in [Role::Viewer, Role::Auditor] {
            assert!(may(role, Right::SeeCases) && !changes.iter().any(|right| may(role, *right)), "{role:?}");
        }
        for right in Right::ALL {
            assert!(may(Role::Admin, right), "{right:?}");
            let below = !may(Role::Agent, right) || may(Role::Supervisor, right);
            assert!(below, "a supervisor may do what an agent may: {right:?}");
        }
        assert!(!may(Role::Supervisor, Right::ManageAccounts) && !may(Role::Agent, Right::SeeAllTeams));
    }

    #[test]
    fn a_person_reaches_their_own_teams_and_what_belongs_to_no_team() {
        let team = |name: &str| TeamId::parse(name).unwrap();
        let declared = || [team("care"), team("press")];
        let reach = Reach::of(&person(Role::Agent, &["care"]), declared());
        assert!(reach.covers(Some(&team("care"))) && reach.covers(None) && reach.covers(Some(&team("gone"))));
        assert!(!reach.covers(Some(&team("press"))));
        assert!(!Reach::of(&person(Role::Viewer, &[]), declared()).covers(Some(&team("care"))));
        for role in [Role::Supervisor, Role::Admin, Role::Auditor] {
            assert_eq!(Reach::of(&person(role, &[]), declared()), Reach::All);
        }
    }

    #[test]
    fn every_role_reads_back() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(role));
        }
        assert_eq!(Role::parse("root"), None);
    }
}
