//! The reports in a real browser: readable, one click from each definition and from the cases behind each number.

use super::{Browser, ENTER, TAB};
use crate::reports_api::{converse, counted};
use crate::support::site::Site;

async fn sign_in(browser: &Browser, site: &Site) {
    browser.goto(&site.url("/console")).await;
    browser.until("document.querySelector('input[name=login]') === document.activeElement").await;
    browser.keys(&format!("admin{TAB}{}{ENTER}", site.password())).await;
    browser.until("document.querySelector('a[href=\"/console/reports\"]')").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reports_say_what_they_count_and_open_the_cases_behind_it() {
    let Some(browser) = Browser::open(None).await else { return };
    let site = Site::start().await;
    sign_in(&browser, &site).await;
    browser.ask("document.querySelector('a[href=\"/console/reports\"]').click();").await;
    browser.until("document.querySelector('.blank')").await;
    browser.shoot("reports-empty.png").await;
    converse(&site).await;
    counted(&site, 4).await;
    browser.goto(&site.url("/console/reports")).await;
    browser.until("document.querySelectorAll('.tile').length === 8").await;
    browser.shoot("reports.png").await;
    let automation = browser.ask("return document.querySelector('.tile').innerText;").await;
    let automation = automation.as_str().unwrap();
    assert!(automation.contains("67%") && automation.contains("2 of 3 requests"), "{automation}");
    let told = browser
        .ask("const one = document.querySelector('.tile details'); one.open = true; return one.innerText;")
        .await;
    assert!(told.as_str().unwrap().contains("no person ever had"), "{told}");
    // What the page draws is there for whoever cannot see it, and nothing in it has a style of its own.
    let plots = browser
        .ask("return [...document.querySelectorAll('svg.plot')].filter((one) => one.querySelector('title') && one.querySelector('desc').textContent.length > 20).length;")
        .await;
    assert_eq!(plots, 2);
    let styled =
        browser.ask("return document.querySelectorAll('[style], style, script:not([src])').length;").await;
    assert_eq!(styled, 0);
    let unlabelled = browser.ask("return [...document.querySelectorAll('input:not([type=hidden]), select')].filter((node) => !node.labels || node.labels.length === 0).length;").await;
    assert_eq!(unlabelled, 0);
    browser.ask("document.querySelector('select[name=channel]').value = 'kiosk'; document.querySelector('.choose button').click();").await;
    browser.until("document.querySelector('.filters') && location.search.includes('channel=kiosk')").await;
    browser.ask("document.querySelector('.tile h2 a').click();").await;
    browser.until("document.querySelectorAll('.cases tbody tr').length === 1").await;
    browser.shoot("reports-cases.png").await;
    browser.ask("document.querySelector('.cases tbody a').click();").await;
    browser.until("document.querySelector('#thread')").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reports_fit_a_phone() {
    let Some(browser) = Browser::open(Some((360, 740))).await else { return };
    let site = Site::start().await;
    converse(&site).await;
    counted(&site, 4).await;
    sign_in(&browser, &site).await;
    browser.goto(&site.url("/console/reports")).await;
    browser.until("document.querySelectorAll('.tile').length === 8").await;
    browser.shoot("phone-reports.png").await;
    let wide = browser.ask("return document.documentElement.scrollWidth - innerWidth;").await;
    assert_eq!(wide, 0, "nothing is wider than the screen");
    browser.close().await;
}
