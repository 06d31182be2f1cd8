//! Cargo's metadata reduced to what the rules need.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use cargo_metadata::{DependencyKind, Metadata, PackageId};

/// A crate, ours or not.
#[derive(Debug, Default)]
pub(super) struct Package {
    /// Package name, as in its manifest.
    pub(super) name: String,
    /// Name of its folder when it belongs to the workspace.
    pub(super) folder: Option<String>,
    /// Its manifest relative to the workspace, for messages.
    pub(super) manifest: String,
    /// Crates of ours in its manifest, optional ones too, sorted.
    pub(super) ours: Vec<OurEdge>,
    /// Other crates in its manifest, optional ones too, sorted.
    pub(super) outside: Vec<OutsideEdge>,
    /// What it is really built with outside tests: keys of the graph.
    pub(super) built_with: Vec<String>,
}

/// A dependency on a crate of the workspace.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OurEdge {
    pub(super) folder: String,
    pub(super) tests_only: bool,
}

/// A dependency on a crate from elsewhere.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OutsideEdge {
    pub(super) name: String,
    pub(super) tests_only: bool,
}

/// All packages by a key that is unique among them.
#[derive(Debug, Default)]
pub(super) struct Graph {
    pub(super) packages: BTreeMap<String, Package>,
}

impl Graph {
    /// Takes over what is needed from cargo.
    pub(super) fn new(metadata: &Metadata) -> Self {
        let built_with = built_with(metadata);
        let packages = metadata.packages.iter().map(|package| {
            let ours = metadata.workspace_members.contains(&package.id);
            let manifest = package.manifest_path.as_path();
            let relative = manifest.strip_prefix(&metadata.workspace_root).unwrap_or(manifest);
            let folder = relative.parent().and_then(|folder| folder.file_name());
            let mut entry = Package {
                name: package.name.to_string(),
                folder: folder.filter(|_| ours).map(str::to_owned),
                manifest: relative.to_string(),
                built_with: built_with.get(&package.id).cloned().unwrap_or_default(),
                ..Package::default()
            };
            for dependency in &package.dependencies {
                let tests_only = dependency.kind == DependencyKind::Development;
                let folder = dependency.path.as_deref().and_then(|path| path.file_name());
                match folder {
                    Some(folder) => {
                        entry.ours.push(OurEdge { folder: folder.to_owned(), tests_only });
                    }
                    None => entry
                        .outside
                        .push(OutsideEdge { name: dependency.name.clone(), tests_only }),
                }
            }
            entry.ours.sort();
            entry.outside.sort();
            (package.id.repr.clone(), entry)
        });
        Self { packages: packages.collect() }
    }

    /// The crates of the workspace.
    pub(super) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.values().filter(|package| package.folder.is_some())
    }

    /// A shortest chain of names from the package to each package that is wanted, in order of
    /// the wanted names. Nothing is looked for behind a wanted package.
    pub(super) fn paths_to(
        &self,
        from: &Package,
        wanted: impl Fn(&str) -> bool,
    ) -> Vec<Vec<String>> {
        let mut found = BTreeMap::new();
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut queue = VecDeque::from([(from, Vec::new())]);
        while let Some((package, path)) = queue.pop_front() {
            for key in &package.built_with {
                let Some(next) = self.packages.get(key) else { continue };
                if !seen.insert(key) {
                    continue;
                }
                let mut longer = path.clone();
                longer.push(next.name.clone());
                if wanted(&next.name) {
                    found.entry(next.name.clone()).or_insert(longer);
                } else {
                    queue.push_back((next, longer));
                }
            }
        }
        found.into_values().collect()
    }
}

/// What each package is built with outside tests, with the features in use.
fn built_with(metadata: &Metadata) -> BTreeMap<&PackageId, Vec<String>> {
    let nodes = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
    nodes
        .map(|node| {
            // A build script or a macro runs on the builder's machine, not in the program.
            let used = node.deps.iter().filter(|dependency| {
                dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal)
            });
            (&node.id, used.map(|dependency| dependency.pkg.repr.clone()).collect())
        })
        .collect()
}
