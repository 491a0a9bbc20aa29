//! Which database the files belong to: its id, in the file `.database` at the root.

use super::{Files, blocking, incoming, lock};
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use uuid::Uuid;

impl Files {
    /// The database that the files belong to; none before the first [`Files::claim`].
    ///
    /// # Errors
    /// When the file can't be read or names no database.
    pub async fn owner(&self) -> io::Result<Option<Uuid>> {
        let root = Arc::clone(&self.root);
        blocking(move || read(&path(&root))).await
    }

    /// Makes the files this database's unless they are another's already. Returns whose they are now.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn claim(&self, database: Uuid) -> io::Result<Uuid> {
        let root = Arc::clone(&self.root);
        blocking(move || {
            // Of two first starts at once, one claims and the other one sees it.
            let lock = File::options().create(true).append(true).open(lock::directory(&root).join("owner"))?;
            lock.lock()?;
            let path = path(&root);
            if let Some(owner) = read(&path)? {
                return Ok(owner);
            }
            let mut temporary = incoming::Temporary::create(&incoming::directory(&root))?;
            temporary.file.set_permissions(Permissions::from_mode(0o600))?;
            writeln!(temporary.file, "{database}")?;
            temporary.file.sync_all()?;
            temporary.persist(&path)?;
            File::open(&root)?.sync_all()?;
            Ok(database)
        })
        .await
    }
}

fn path(root: &Path) -> PathBuf {
    root.join(".database")
}

fn read(path: &Path) -> io::Result<Option<Uuid>> {
    match fs::read_to_string(path) {
        Ok(text) => {
            let damaged = |_| io::Error::other(format!("{} names no database", path.display()));
            text.trim().parse().map(Some).map_err(damaged)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
