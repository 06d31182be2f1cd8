//! The program against a real server: what people type, what they see, and the exit codes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper of tests fails the test that uses it"
)]

use bulkhead_testkit::script::{Answer, Script};
use bulkhead_testkit::{Server, pce_binary};
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs the program against one server, with a configuration of its own.
struct Shell {
    vars: Vec<(&'static str, String)>,
    home: tempfile::TempDir,
}

struct Done {
    code: i32,
    out: String,
    err: String,
}

impl Shell {
    fn new(server: &Server) -> Self {
        let vars = vec![
            ("ILLUMIO_PCE_HOST", server.boot_str("http_url").to_owned()),
            ("ILLUMIO_API_KEY_USERNAME", server.boot_str("api_key").to_owned()),
            ("ILLUMIO_API_KEY_SECRET", server.boot_str("api_secret").to_owned()),
        ];
        Self { vars, home: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> String {
        self.home.path().join(name).display().to_string()
    }

    fn feed(&self, line: &str, input: &str) -> Done {
        let args: Vec<&str> = line.split(' ').map(|word| word.trim_matches('\'')).collect();
        let mut command = Command::new(env!("CARGO_BIN_EXE_bulkhead"));
        command.args(args).env_clear().env("NO_PROXY", "*").envs(self.vars.clone());
        command.env("BULKHEAD_CONFIG_DIR", self.path("config"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Done {
            code: output.status.code().unwrap(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    /// Runs a line that must end with a code.
    #[track_caller]
    fn ends(&self, code: i32, line: &str) -> Done {
        let done = self.feed(line, "");
        assert_eq!(done.code, code, "{line}\n{}{}", done.out, done.err);
        done
    }

    #[track_caller]
    fn ok(&self, line: &str) -> Done {
        self.ends(0, line)
    }

    #[track_caller]
    fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.ok(&format!("{line} -o json")).out).unwrap()
    }

    fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.home.path().join(name), text).unwrap();
        self.path(name)
    }
}

#[test]
fn the_program_drives_a_real_server() {
    let server = Server::start(pce_binary());
    let sh = Shell::new(&server);
    nouns(&sh);
    outputs(&sh);
    failures(&sh, &server);
    in_bulk(&sh);
    exchange(&sh);
    policy(&sh);
    verdicts(&sh);
    files(&sh);
    tools(&sh);
    profiles(&server);
}

fn nouns(sh: &Shell) {
    let label = sh.json("label create --set key=role --set value=R-Web");
    let href = label["href"].as_str().unwrap().to_owned();
    assert_eq!(sh.json("label get role:R-Web")["href"], label["href"]);
    sh.ok("label update role:R-Web --set value=R-WWW");
    assert_eq!(sh.json(&format!("label get {href}"))["value"], "R-WWW");
    sh.ok("label create --json {\"key\":\"env\",\"value\":\"E-Prod\"}");
    let file = sh.write("list.yaml", "name: Office\nip_ranges:\n- from_ip: 10.0.0.0/8\n");
    sh.ok(&format!("ip-list create --file {file}"));
    assert_eq!(sh.json("ip-list get Office")["ip_ranges"][0]["from_ip"], "10.0.0.0/8");
    let listed = sh.json("ip-list list --name Off");
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(sh.ok("ip-list list --name Off -o name").out.lines().count(), 1);
    assert_eq!(sh.json("ip-list list --external-data-set x"), Value::Array(Vec::new()));

    let refused = sh.ends(2, "ip-list delete Office");
    assert!(refused.err.contains("--yes"), "{}", refused.err);
    let dry = sh.ok("ip-list delete Office --dry-run");
    assert!(dry.err.contains("would send DELETE"), "{}", dry.err);
    sh.ok("ip-list delete Office --yes");
    sh.ends(1, "ip-list get Office");

    let set = sh.json("rule-set create --json {\"name\":\"RS\",\"scopes\":[[]]}");
    let set = set["href"].as_str().unwrap().to_owned();
    let rule = "{\"enabled\":true,\"providers\":[{\"actors\":\"ams\"}],\"consumers\":[{\"actors\":\"ams\"}],\
        \"ingress_services\":[{\"port\":443,\"proto\":6}],\"resolve_labels_as\":{\"providers\":[\"workloads\"],\
        \"consumers\":[\"workloads\"]}}";
    sh.ok(&format!("rule create --parent {set} --json {rule}"));
    assert_eq!(sh.json(&format!("rule list --parent {set}")).as_array().unwrap().len(), 1);
    sh.ends(2, "rule list");
    sh.ok("org-settings get");
    sh.ok("event-settings update --set format=CEF");
}

fn outputs(sh: &Shell) {
    let out = |format: &str| sh.ok(&format!("label list --key role -o {format}")).out;
    assert!(out("table").starts_with("KEY   VALUE"), "{}", out("table"));
    assert!(out("wide").lines().count() >= 2);
    assert_eq!(
        serde_json::from_str::<Value>(out("jsonl").lines().next().unwrap()).unwrap()["key"],
        "role"
    );
    assert!(out("yaml").starts_with("- "), "{}", out("yaml"));
    assert!(out("csv").starts_with("key,value,"), "{}", out("csv"));
    assert!(out("name").starts_with("/orgs/1/labels/"));
    let chosen = sh.ok("label list --key role --fields value,created_by.href --no-header").out;
    assert!(chosen.starts_with("R-WWW  /users/"), "{chosen}");
    assert_eq!(sh.json("label list --all").as_array().unwrap().len(), 2);
    assert!(sh.ok("label list --max-results 1").err.contains("1 of 2 shown"));
}

fn failures(sh: &Shell, server: &Server) {
    let unknown = sh.ends(1, "label create --set key=colour --set value=x");
    assert!(unknown.err.starts_with("error: "), "{}", unknown.err);
    sh.ends(2, "label create");
    sh.ends(2, "label list --colour red");
    sh.ends(2, "nonsense");
    let other = |name: &'static str, value: &str| {
        let mut vars = sh.vars.clone();
        vars.retain(|(n, _)| *n != name);
        vars.push((name, value.to_owned()));
        Shell { vars, home: tempfile::tempdir().unwrap() }
    };
    let denied = other("ILLUMIO_API_KEY_SECRET", "wrong").ends(4, "label list");
    assert!(denied.err.contains("hint:") && !denied.err.contains("wrong"), "{}", denied.err);
    let gone = other("ILLUMIO_PCE_HOST", "http://127.0.0.1:1").ends(1, "label list --timeout 1");
    assert!(gone.err.contains("hint: nothing listens"), "{}", gone.err);
    let nowhere = Shell { vars: Vec::new(), home: tempfile::tempdir().unwrap() };
    assert!(nowhere.ends(2, "label list").err.contains("ILLUMIO_PCE_HOST"));
    let logged = sh.ok("label list -vv").err;
    assert!(logged.contains("GET /orgs/1/labels"), "{logged}");
    assert!(!logged.contains(server.boot_str("api_secret")), "no secret in logs");
}

fn in_bulk(sh: &Shell) {
    for n in 0..3 {
        sh.ok(&format!("workload create --set name=bulk-{n} --set hostname=bulk-{n}"));
    }
    sh.ends(2, "workload label --add role:R-WWW --yes");
    sh.ok("workload label --name bulk --add role:R-WWW --add env:E-Prod --yes");
    assert_eq!(
        sh.json("workload list --labels role:R-WWW,env:E-Prod").as_array().unwrap().len(),
        3
    );
    assert!(
        sh.ok("workload label --name bulk --add role:R-WWW --yes").err.contains("nothing to do")
    );
    sh.ok("workload label --name bulk-0 --remove env --yes");
    assert_eq!(sh.json("workload list --labels env:E-Prod").as_array().unwrap().len(), 2);
    sh.ok("workload mode selective --labels role:R-WWW --yes");
    let modes = sh.ok("workload list --name bulk --fields enforcement_mode --no-header").out;
    assert_eq!(modes, "selective\nselective\nselective\n");
}

fn exchange(sh: &Shell) {
    let all = sh.path("workloads.csv");
    sh.ok(&format!("workload export --file {all}"));
    let again = sh.ok(&format!("workload import --file {all} --apply"));
    assert!(again.err.contains("nothing to do"), "{}", again.err);
    let text = std::fs::read_to_string(&all).unwrap();
    assert!(text.contains("env:E-Prod;role:R-WWW"), "{text}");

    let report = sh.path("report.csv");
    let rows = "\u{feff}name,hostname,description,labels\n\
        \"new, with \"\"quotes\"\"\",new,,role:R-WWW\nbulk-1,bulk-1,changed,role:R-WWW\n\
        bulk-1,bulk-1,twice,\nodd,odd,,role:Nobody\n";
    let file = sh.write("in.csv", rows);
    let dry = sh.ends(1, &format!("workload import --file {file}"));
    assert!(dry.err.contains("1 to create, 1 to change, 2 wrong"), "{}", dry.err);
    assert!(dry.err.contains("description: `` -> `changed`"), "{}", dry.err);
    assert_eq!(sh.json("workload get bulk-1")["description"], Value::Null, "a dry run");
    sh.ends(1, &format!("workload import --file {file} --apply --report {report}"));
    assert_eq!(sh.json("workload get bulk-1")["description"], "changed");
    let lines = std::fs::read_to_string(&report).unwrap();
    assert_eq!(lines.lines().count(), 5, "{lines}");
    assert!(lines.contains("2,\"new, with \"\"quotes\"\"\",create,done"), "{lines}");
    assert!(lines.contains("refused,a row above"), "{lines}");

    let wrong = sh.write("wrong.csv", "name,colour\na,red\n");
    assert!(sh.ends(2, &format!("workload import --file {wrong}")).err.contains("colour"));
    let short = sh.write("short.csv", "name,hostname\na\n");
    sh.ends(2, &format!("workload import --file {short}"));

    let mut many = "key,value\n".to_owned();
    (0..40).for_each(|n| many.push_str(&format!("app,A-{n}\n")));
    let many = sh.write("labels.csv", &many);
    sh.ok(&format!("label import --file {many} --apply"));
    assert!(sh.ok(&format!("label import --file {many} --apply")).err.contains("nothing to do"));
}

fn policy(sh: &Shell) {
    assert!(sh.ends(3, "policy diff").out.contains("create"));
    let plan = sh.ends(3, "policy plan -o json").out;
    let plan: Value = serde_json::from_str(&plan).unwrap();
    assert!(plan["impact"].is_object() && plan["effect"].is_object(), "{plan}");
    sh.ends(2, "policy provision");
    sh.ok("policy provision --note first --yes");
    sh.ok("policy diff");
    assert!(sh.ok("policy provision --yes").err.contains("nothing is pending"));
    let set = sh.json("rule-set get RS");
    sh.ok("rule-set update RS --set description=why");
    let diff = sh.ends(3, "policy diff -o csv");
    assert!(diff.out.contains("update,RS,description,,why,"), "{}", diff.out);
    sh.ends(2, "policy revert --only /orgs/1/sec_policy/draft/rule_sets/999 --yes");
    sh.ok(&format!("policy revert --only {} --yes", set["href"].as_str().unwrap()));
    sh.ok("policy diff");
    let versions = sh.json("policy versions");
    assert_eq!(versions[0]["commit_message"], "first");
    sh.ok(&format!("policy restore {} --yes", versions[0]["version"]));
    assert_eq!(sh.json("rule-set list --active --name RS").as_array().unwrap().len(), 1);
}

/// The exit code tells the verdict, whatever the server calls it.
#[test]
fn verdicts_are_exit_codes() {
    for (decision, code) in [
        ("allowed", 0),
        ("allowed_across_boundary", 0),
        ("blocked", 5),
        ("blocked_by_override_deny", 5),
        ("potentially_blocked_by_boundary", 6),
        ("something_new", 1),
    ] {
        let answer = format!("{{\"results\":[{{\"decision\":\"{decision}\"}}]}}");
        let script = Script::start(vec![Answer::json(200, &answer)]);
        let vars = vec![("ILLUMIO_PCE_HOST", script.url())];
        let sh = Shell { vars, home: tempfile::tempdir().unwrap() };
        sh.ends(code, "policy check 10.0.0.1 10.0.0.2 443/tcp");
        let body = script.asked()[0].split_once("\n\n").unwrap().1.to_owned();
        let asked = "{\"flows\":[{\"dst\":{\"ip\":\"10.0.0.2\"},\"port\":443,\"proto\":6,\
            \"src\":{\"ip\":\"10.0.0.1\"}}],\"pversion\":\"active\"}";
        assert_eq!(body, asked);
    }
}

/// One rule is active: every workload may reach every other on 443/tcp.
fn verdicts(sh: &Shell) {
    let href = |n: u8| {
        sh.ok(&format!(
            "workload update bulk-{n} --set enforcement_mode=full --set public_ip=10.9.0.{n}"
        ));
        sh.json(&format!("workload get bulk-{n}"))["href"].as_str().unwrap().to_owned()
    };
    let (from, to) = (href(1), href(2));
    sh.ok(&format!("policy check {from} {to} 443/tcp"));
    sh.ends(2, &format!("policy check {from} {to} 80/nonsense"));
    let why = sh.json(&format!("policy explain {from} {to} 443/tcp --draft"));
    let rule = why["destination"]["rules"][0]["href"].as_str().unwrap();
    assert!(rule.contains("/sec_rules/"), "{why}");
    let case = |port: &str, expect: &str| {
        format!("- {{from: {from}, to: {to}, port: {port}, expect: {expect}}}\n")
    };
    let file = sh.write("good.yaml", &case("443/tcp", "allowed"));
    sh.ok(&format!("policy test {file}"));
    let file = sh.write("bad.yaml", &case("443/tcp", "blocked"));
    assert!(sh.ends(1, &format!("policy test {file}")).out.contains("false"));
    let file = sh.write("none.yaml", &case("80/tcp", "maybe"));
    sh.ends(2, &format!("policy test {file}"));
    let file = sh.write("search.yaml", "ingress_services: [{port: 443, proto: 6}]\n");
    let found = sh.json(&format!("rule search --file {file} --draft"));
    assert!(found.as_array().unwrap().iter().any(|rule| rule["kind"] == "sec_rules"), "{found}");
    let file = sh.write(
        "coverage.json",
        &format!(
            "[{{\"resolve_labels_as\":{{\"source\":[\"workloads\"],\"destination\":[\"workloads\"]}},\
             \"source\":{{\"workload\":{{\"href\":\"{from}\"}}}},\
             \"destination\":{{\"workload\":{{\"href\":\"{to}\"}}}},\
             \"services\":[{{\"protocol\":6,\"port\":443}}]}}]"
        ),
    );
    assert!(sh.ok(&format!("rule coverage --file {file} -o json")).out.contains("sec_rules"));
}

/// Rule sets that go out and come back.
const RULE_SETS: usize = 200;

fn files(sh: &Shell) {
    sh.ok("label create --set key=app --set value=Dump");
    let (base, first, second) = (sh.path("dump-0"), sh.path("dump-1"), sh.path("dump-2"));
    sh.ok(&format!("dump -d {base}"));
    sh.ok(&format!("dump -d {first}"));
    for n in 0..RULE_SETS {
        let text = format!(
            "name: RS-{n}\ndescription: number {n}\nenabled: true\n\
             scopes: [[{{label: {{ref: \"labels/app:Dump\"}}}}]]\nrules:\n\
             - enabled: true\n  providers: [{{actors: ams}}]\n  consumers: [{{label: {{ref: \"labels/role:R-WWW\"}}}}]\n\
             \x20 ingress_services: [{{port: {}, proto: 6}}]\n\
             \x20 resolve_labels_as: {{providers: [workloads], consumers: [workloads]}}\n",
            1000 + n
        );
        sh.write(&format!("dump-1/rule_sets/new-{n}.yaml"), &text);
    }
    sh.ok(&format!("apply -f {first} --yes"));
    std::fs::remove_dir_all(&first).unwrap();
    sh.ok(&format!("dump -d {first}"));
    assert!(sh.ok(&format!("apply -f {first} --plan")).err.contains("nothing to do"));
    sh.ok("policy provision --note all --yes");

    let plan = sh.ends(3, &format!("apply -f {base} --prune --plan"));
    assert_eq!(plan.err.matches("- rule_set RS-").count(), RULE_SETS);
    sh.ends(2, &format!("apply -f {base} --prune"));
    sh.ok(&format!("apply -f {base} --prune --yes"));
    sh.ok("policy provision --note none --yes");
    assert_eq!(sh.json("rule-set list --name RS- --max-results 500"), Value::Array(Vec::new()));

    let plan = sh.ends(3, &format!("apply -f {first} --plan"));
    assert_eq!(plan.err.matches("+ rule_set RS-").count(), RULE_SETS, "{}", plan.err);
    sh.ok(&format!("apply -f {first} --yes"));
    sh.ok("policy provision --note again --yes");
    sh.ok(&format!("dump -d {second}"));
    assert_eq!(tree(Path::new(&first)), tree(Path::new(&second)), "the same policy came back");

    let extra = sh.json("rule-set create --json {\"name\":\"Extra\",\"scopes\":[[]]}");
    drop(extra);
    assert!(sh.ok(&format!("apply -f {first} --plan")).err.contains("nothing to do"));
    let plan = sh.ends(3, &format!("apply -f {first} --prune --plan"));
    assert!(plan.err.contains("- rule_set Extra"), "{}", plan.err);
    sh.ok(&format!("apply -f {first} --prune --yes"));
    sh.ends(2, &format!("apply -f {}", sh.path("nothing")));
}

/// All files below a folder, with their text.
fn tree(folder: &Path) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(tree(&path));
        } else {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            all.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
    all.sort();
    all
}

fn tools(sh: &Shell) {
    let api: Value = serde_json::from_str(&sh.ok("api GET /labels -q key=role").out).unwrap();
    assert_eq!(api[0]["key"], "role");
    assert!(sh.ok("api GET /product_version --global").out.contains("version"));
    assert!(sh.ok("api GET /label_dimensions --async -o jsonl").out.lines().count() >= 4);
    let done = sh.feed("api PUT /settings/events --file -", "format: JSON\n");
    assert_eq!(done.code, 0, "{}", done.err);
    let doctor = sh.ok("doctor").out;
    assert!(
        doctor.contains("credentials and organisation") && doctor.contains("accepted"),
        "{doctor}"
    );
    let events = sh.ok("event follow --past --count 2 --event-type label.create -o jsonl").out;
    assert_eq!(events.lines().count(), 2, "{events}");
    assert_eq!(sh.ok("version").out, format!("bulkhead {}\n", env!("CARGO_PKG_VERSION")));
    assert!(sh.ok("completion bash").out.contains("COMPLETE"));
    sh.ends(2, "completion nonsense");
    sh.ok(&format!("docs --dir {}", sh.path("man")));
    assert!(std::fs::read_to_string(sh.path("man/bulkhead.1")).unwrap().contains("bulkhead"));

    let mut complete = Command::new(env!("CARGO_BIN_EXE_bulkhead"));
    complete.envs(sh.vars.clone()).env("COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", "4");
    complete.env("NO_PROXY", "*").args(["--", "bulkhead", "workload", "list", "--labels", "role:"]);
    let shown = String::from_utf8(complete.output().unwrap().stdout).unwrap();
    assert!(shown.contains("R-WWW"), "completion knows labels: {shown}");
}

fn profiles(server: &Server) {
    let bare = Shell { vars: Vec::new(), home: tempfile::tempdir().unwrap() };
    let (url, key) = (server.boot_str("http_url"), server.boot_str("api_key"));
    let login = format!("auth login --profile lab --pce {url} --key {key}");
    let wrong = bare.feed(&login, "nonsense\n");
    assert_eq!(wrong.code, 4, "{}", wrong.err);
    let done = bare.feed(&login, server.boot_str("api_secret"));
    assert_eq!(done.code, 0, "{}", done.err);
    bare.ok("auth status");
    bare.ok("label list");
    assert_eq!(bare.json("profile list")[0]["name"], "lab");
    assert!(!bare.ok("profile list -o json").out.contains(server.boot_str("api_secret")));
    let file = bare.home.path().join("config/credentials.toml");
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&file), 0o600);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(bare.ends(2, "label list").err.contains("chmod 600"));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    bare.ok("auth logout");
    bare.ends(4, "label list");
    bare.ok("profile remove lab");
    bare.ends(2, "label list --profile lab");
}
