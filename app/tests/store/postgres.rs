//! A PostgreSQL server for the suite: a given one, or a throw-away one from Debian's package.

use portcullis_app::config::DatabaseUrl;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use tempfile::TempDir;

/// A server in which databases can be made.
pub(crate) struct Server {
    /// The URL up to the name of the database, and what follows it.
    url: (String, String),
    databases: AtomicU32,
    started: Option<Started>,
}

/// A server that this process started.
struct Started {
    folder: TempDir,
    programs: PathBuf,
    owner: Option<(u32, u32)>,
}

impl Server {
    /// The given server, or a new one; none, and a word about it, where PostgreSQL is not installed.
    ///
    /// # Panics
    ///
    /// When there must be one.
    #[expect(clippy::print_stdout, reason = "a skipped test must say so where its reader looks")]
    pub(crate) fn find_or_say() -> Option<Self> {
        let server = Self::find();
        if server.is_none() {
            let required = std::env::var("PORTCULLIS_REQUIRE_POSTGRES").is_ok_and(|value| value == "1");
            assert!(!required, "PORTCULLIS_REQUIRE_POSTGRES=1, but there is no PostgreSQL");
            println!("SKIPPED: no PostgreSQL (set PORTCULLIS_TEST_POSTGRES or install Debian's postgresql)");
        }
        server
    }

    fn find() -> Option<Self> {
        if let Ok(url) = std::env::var("PORTCULLIS_TEST_POSTGRES") {
            let (head, query) = url.split_once('?').unwrap_or((&url, ""));
            let (base, _) = head.rsplit_once('/').expect("a URL with a database");
            return Some(Self {
                url: (base.to_owned(), query.to_owned()),
                databases: AtomicU32::new(0),
                started: None,
            });
        }
        let started = Started::start()?;
        let socket = started.folder.path().display().to_string().replace('/', "%2F");
        Some(Self {
            url: ("postgres://postgres@localhost".to_owned(), format!("host={socket}")),
            databases: AtomicU32::new(0),
            started: Some(started),
        })
    }

    /// Makes an empty database.
    pub(crate) async fn new_database(&self) -> DatabaseUrl {
        use sqlx::Connection;
        let (base, query) = &self.url;
        // The process's id, because a given server may serve several runs at once.
        let name = format!("store_{}_{}", std::process::id(), self.databases.fetch_add(1, Relaxed));
        let mut connection =
            sqlx::PgConnection::connect(&format!("{base}/postgres?{query}")).await.expect("the server answers");
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .execute(&mut connection)
            .await
            .expect("a database");
        connection.close().await.expect("closed");
        format!("{base}/{name}?{query}").parse().expect("a URL")
    }
}

impl Started {
    fn start() -> Option<Self> {
        let programs = newest_programs()?;
        let folder = tempfile::tempdir().expect("a folder");
        // PostgreSQL refuses to run as root.
        let owner = is_root().then(postgres_user).flatten();
        if let Some((uid, gid)) = owner {
            std::os::unix::fs::chown(folder.path(), Some(uid), Some(gid)).expect("the folder changes hands");
        }
        let started = Self { folder, programs, owner };
        let data = started.folder.path().join("data");
        started.run("initdb", &["-D", text(&data), "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8"]);
        let options = format!(
            "-c listen_addresses= -c fsync=off -c max_connections=100 -c unix_socket_directories={}",
            started.folder.path().display()
        );
        let log = started.folder.path().join("log");
        // Waits until the server takes connections.
        started.run("pg_ctl", &["-D", text(&data), "-l", text(&log), "-o", &options, "-w", "start"]);
        Some(started)
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let mut command = Command::new(self.programs.join(program));
        command.args(arguments).current_dir(self.folder.path()).stdin(std::process::Stdio::null());
        // A pipe would be inherited by the server and never end.
        let output = self.folder.path().join(format!("{program}.out"));
        let file = std::fs::File::create(&output).expect("a file");
        command.stdout(file.try_clone().expect("a descriptor")).stderr(file);
        if let Some((uid, gid)) = self.owner {
            command.uid(uid).gid(gid);
        }
        let status = command.status().expect("the program runs");
        assert!(status.success(), "{program}: {}", std::fs::read_to_string(&output).unwrap_or_default());
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let data = self.folder.path().join("data");
        self.run("pg_ctl", &["-D", text(&data), "-m", "immediate", "-w", "stop"]);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Stops the server before its folder goes.
        drop(self.started.take());
    }
}

fn newest_programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut found: Vec<PathBuf> = versions
        .flatten()
        .map(|version| version.path().join("bin"))
        .filter(|programs| programs.join("initdb").exists() && programs.join("pg_ctl").exists())
        .collect();
    found.sort();
    found.pop()
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// The user and group ids of `postgres`, from passwd(5).
fn postgres_user() -> Option<(u32, u32)> {
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let line = users.lines().find(|line| line.starts_with("postgres:"))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}
