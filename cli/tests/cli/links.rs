//! Links by which people act: in a browser, once, in the name of one person, without a token.

use serde_json::{Value, json};

use crate::binary::until;
use crate::dev::Dev;
use crate::http::{Answer, send};

const RELEASE: &str = "
name: release
steps:
  - name: sign_off
    uses: approval
    with: {message: 'Release <b>1.2</b>?', who: [ann, bob], of: 2}
  - {name: ship, depends_on: [sign_off], run: 'true'}
";

fn asking(dev: &Dev) -> String {
    std::fs::write(dev.path("release.yaml"), RELEASE).unwrap();
    told(dev, &["apply", "release.yaml"]);
    let id = told(dev, &["workflows", "trigger", "release"]);
    until("it asks", || (shown(dev, &id)["steps"][0]["state"] == "asking").then_some(()));
    id
}

/// What a command says, with a token that does no harm where none is needed.
fn told(dev: &Dev, arguments: &[&str]) -> String {
    dev.cli(&[arguments, &["--token", "s3cret"]].concat()).with(0).stdout.trim().to_owned()
}

fn shown(dev: &Dev, id: &str) -> Value {
    serde_json::from_str(&told(dev, &["runs", "get", id, "-o", "json"])).unwrap()
}

/// The path of a link.
fn path_of(dev: &Dev, url: &str) -> String {
    url.trim().strip_prefix(&format!("http://{}", dev.address)).unwrap().to_owned()
}

/// Sends the form of a page, as a browser does.
fn click(dev: &Dev, path: &str, form: &str) -> Answer {
    let origin = format!("http://{}", dev.address);
    let headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Origin", &*origin)];
    send(&dev.address, "POST", path, &headers, form.as_bytes())
}

#[test]
fn a_link_shows_what_is_asked_and_its_button_answers_once_without_a_token() {
    let dev = Dev::start(&["--token", "s3cret"]);
    let id = asking(&dev);
    let link = |by: &str| told(&dev, &["runs", "link", &id, "sign_off", "approve", "--for", by]);
    let (ann, bob) = (path_of(&dev, &link("ann")), path_of(&dev, &link("bob")));

    // Whoever looks for harm in mail follows links: looking changes nothing.
    for method in ["GET", "HEAD", "GET"] {
        let page = send(&dev.address, method, &ann, &[], b"");
        assert_eq!(page.status, 200);
        for header in [
            "content-type: text/html; charset=utf-8",
            "cache-control: no-store",
            "referrer-policy: same-origin",
            "x-frame-options: deny",
            "frame-ancestors 'none'",
            "default-src 'none'",
        ] {
            assert!(page.head.contains(header), "{header}: {}", page.head);
        }
    }
    let page = dev.get(&ann).body;
    for part in
        ["Release &lt;b&gt;1.2&lt;/b&gt;?", "release", "sign_off", &*id, "ann", "<form method=\"post\">"]
    {
        assert!(page.contains(part), "{part}: {page}");
    }

    let done = click(&dev, &ann, "comment=looks+good%2C+%3Ci%3E");
    assert_eq!(done.status, 200, "{}", done.body);
    assert!(
        done.body
            .contains("sign_off was approved by ann: looks good, &lt;i&gt;. Others have to approve, too."),
        "{}",
        done.body
    );
    for again in [click(&dev, &ann, ""), dev.get(&ann)] {
        assert_eq!(again.status, 409);
        assert!(
            again.body.contains("Used already") && again.body.contains("approved by ann"),
            "{}",
            again.body
        );
    }
    assert_eq!(click(&dev, &bob, "").status, 200);
    until("it has ended", || (shown(&dev, &id)["state"] == "succeeded").then_some(()));
    let history = told(&dev, &["runs", "history", &id]);
    assert!(history.contains("sign_off was approved by ann: looks good, <i>"), "{history}");
    assert!(history.contains("sign_off was approved by bob"), "{history}");
}

#[test]
fn a_link_that_comes_too_late_or_is_none_says_so_and_nothing_else() {
    let dev = Dev::start(&[]);
    let id = asking(&dev);
    let link = |deed: &str, more: &[&str]| {
        let link = dev.cli(&[&["runs", "link", &id, "sign_off", deed], more].concat()).with(0).stdout;
        path_of(&dev, &link)
    };
    let soon = link("approve", &["--for", "ann", "--expires", "1s"]);
    let (reject, late) = (link("reject", &["--for", "ann"]), link("approve", &["--for", "bob"]));
    std::thread::sleep(std::time::Duration::from_millis(1_200));
    for expired in [dev.get(&soon), click(&dev, &soon, "")] {
        assert_eq!(expired.status, 410);
        assert!(expired.body.contains("This link was good until"), "{}", expired.body);
    }
    let done = click(&dev, &reject, "comment=no");
    assert!(done.status == 200 && done.body.contains("sign_off was rejected by ann: no"), "{}", done.body);
    dev.ended(&id);
    for late in [dev.get(&late), click(&dev, &late, "")] {
        assert_eq!(late.status, 409);
        assert!(
            late.body.contains("step sign_off cannot be approved: its run has ended: failed"),
            "{}",
            late.body
        );
    }

    let forged = format!("{}A", &late[..late.len() - 1]);
    for none in ["/act/x", "/act/x.y", &*forged] {
        for answer in [dev.get(none), click(&dev, none, "")] {
            assert_eq!(answer.status, 404, "{none}");
            assert!(answer.body.contains("This is no link of this server"), "{}", answer.body);
            assert!(!answer.body.contains(&id) && !answer.body.contains("sign_off"), "{}", answer.body);
        }
    }
}

#[test]
fn the_form_of_a_link_is_taken_from_its_own_page_alone_and_no_other_route_takes_one() {
    let dev = Dev::start(&[]);
    let id = asking(&dev);
    let url = dev.cli(&["runs", "link", &id, "sign_off", "approve", "--for", "ann"]).with(0).stdout;
    let path = path_of(&dev, &url);
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let post = |path: &str, headers: &[(&str, &str)]| send(&dev.address, "POST", path, headers, b"comment=");
    for origin in ["https://evil.example", "null"] {
        post(&path, &[form, ("Origin", origin)]).refusal(403, "foreign-origin");
    }
    post(&path, &[form, ("Host", "evil.example")]).refusal(403, "foreign-host");
    post(&path, &[("Content-Type", "text/plain")]).refusal(415, "not-json");
    for other in [&format!("/api/v1/runs/{id}/cancel"), "/act/", &format!("{path}/x"), "/api/v1/runs"] {
        post(other, &[form]).refusal(415, "not-json");
    }
    assert_eq!(dev.run(&id)["steps"][0]["state"], "asking", "none of it did anything");
}

#[test]
fn a_link_is_made_only_for_what_can_be_done() {
    let dev = Dev::start(&[]);
    let id = asking(&dev);
    let link = |more: &[&str]| dev.cli(&[&["runs", "link", &id], more].concat());
    link(&["sign_off", "approve", "--for", "eve"])
        .with(1)
        .says(&["step sign_off cannot be approved: eve may not"]);
    link(&["ship", "approve", "--for", "ann"]).with(1).says(&["it is no approval: it uses shell"]);
    link(&["sign_of", "approve", "--for", "ann"]).with(5).says(&["did you mean \"sign_off\"?"]);
    link(&["sign_off", "skip"]).with(2).says(&["approve, reject"]);
    link(&["sign_off", "approve", "--for", "ann", "--expires", "100d"])
        .with(2)
        .says(&["expected at most 90d"]);
    link(&["sign_off", "approve", "--for", "ann", "--url", "millrace"])
        .with(2)
        .says(&["https://millrace.example"]);
    let elsewhere =
        link(&["sign_off", "approve", "--for", "ann", "--url", "https://millrace.example/"]).with(0).stdout;
    assert!(elsewhere.starts_with("https://millrace.example/act/"), "{elsewhere}");
    let body = json!({"deed": "approve", "for": "ann", "expires": "10m"}).to_string();
    let made = dev.post(&format!("/api/v1/runs/{id}/steps/sign_off/links"), &body).json(201);
    assert!(made["url"].as_str().unwrap().starts_with(&format!("http://{}/act/", dev.address)), "{made}");

    // A link outlives the process that made it.
    let path = path_of(&dev, made["url"].as_str().unwrap());
    let folder = dev.shared_folder();
    dev.crash();
    let dev = Dev::start_in(folder, &[]);
    assert_eq!(dev.get(&path).status, 200);
}
