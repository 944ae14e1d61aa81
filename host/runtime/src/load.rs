//! From bytes to a generation: compile, look at imports and exports, ask the plugin to describe
//! itself, check all of it; then, for one that shall serve, open its database and migrate it.
//!
//! Nothing here touches the route table: a failure at any step leaves what serves as it is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use crate::admission::Admission;
use crate::compiler::{self, Compiled, NotCompiled};
use crate::description::{self, Checked};
use crate::digest::Digest;
use crate::engine::World;
use crate::fault::Fault;
use crate::generation::Generation;
use crate::guest::Context;
use crate::in_flight::InFlight;
use crate::inspect::Inspection;
use crate::instance::{Instance, Reuse, Template, WarmInstances};
use crate::invocation::Invocation;
use crate::lifecycle::layer::{Layer, Set};
use crate::lifecycle::schema;
use crate::lifecycle::scores::Scores;
use crate::limits::Limits;
use crate::log::LogGate;
use crate::options::PluginOptions;
use crate::quarantine::Quarantine;
use crate::redirect::Redirects;
use crate::rights::Revoked;
use crate::runtime::Inner;
use crate::settings::Settings;
use crate::subject_data::{self, Holding};
use crate::wasi_http::{self, Outbound};
use bytes::Bytes;

mod step;

use caplet_store::{Database, Tag};
pub use step::{LoadError, Step};

/// A component that has been compiled, described and checked, and has touched nothing.
pub struct Prepared {
    pub(crate) checked: Checked,
    pub(crate) holdings: Vec<Holding>,
    pub(crate) digest: Digest,
    pub(crate) inspection: Inspection,
    pub(crate) settings: Settings,
    pub(crate) redirects: Redirects,
    pub(crate) outbound: Outbound,
    pub(crate) limits: Limits,
    pub(crate) options: PluginOptions,
    pub(crate) layer: Layer,
    pub(crate) program: Program,
}

/// What runs.
#[derive(Clone)]
pub(crate) enum Program {
    /// A plugin of the host's contract.
    Plugin(Template),
    /// A component for any host of `wasi:http`.
    WasiHttp(wasi_http::Program),
}

impl Program {
    /// The plugin of the host's contract, if it is one.
    pub(crate) fn plugin(&self) -> Option<&Template> {
        match self {
            Self::Plugin(template) => Some(template),
            Self::WasiHttp(_) => None,
        }
    }
}

impl Prepared {
    /// What the operator has set for it.
    pub(crate) fn set(&self) -> Set {
        Set { options: self.options.clone(), layer: self.layer.clone() }
    }

    /// The plugin's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.checked.description.name
    }

    /// All that the plugin says of itself.
    #[must_use]
    pub fn description(&self) -> &caplet_abi::Description {
        &self.checked.description
    }

    /// What the component imports and exports.
    #[must_use]
    pub fn inspection(&self) -> &Inspection {
        &self.inspection
    }

    /// What the plugin says it keeps about people; none when it does not answer for it.
    #[must_use]
    pub fn holdings(&self) -> Option<&[Holding]> {
        self.program.plugin()?.subject_data().map(|_| self.holdings.as_slice())
    }

    /// The SHA-256 of the component.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The limits that would hold for it.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }
}

/// Compiles a component, off the async threads.
pub(crate) async fn compile(inner: &Arc<Inner>, bytes: Bytes) -> Result<Compiled, LoadError> {
    let refused = |reason: String| Step::Compile.failed(None, vec![reason]);
    let bytes_max = inner.limits.component_bytes_max;
    if bytes.len() > bytes_max {
        return Err(refused(format!("it has {} bytes, the limit is {bytes_max}", bytes.len())));
    }
    if bytes.get(..4) != Some(b"\0asm") {
        return Err(refused(
            "it does not begin like WebAssembly; is it another kind of file, or native code?"
                .into(),
        ));
    }
    if bytes.get(4..8) == Some(&[1, 0, 0, 0]) {
        return Err(refused(
            "it is a core module; build a component, for example with the target wasm32-wasip2"
                .into(),
        ));
    }
    compiler::compile(inner, bytes).await.map_err(|NotCompiled { reason, limit }| {
        if let Some(limit) = limit {
            inner.metrics.limit_hit("", limit);
        }
        refused(reason)
    })
}

/// Asks a compiled component what it is, and checks all of it against `set`, or what the operator has set
/// for the plugin. Nothing has an effect. One that has no name of its own is `called` so.
pub(crate) async fn examine(
    inner: &Arc<Inner>,
    compiled: Compiled,
    called: Option<&str>,
    set: Option<Set>,
) -> Result<Prepared, LoadError> {
    let digest = compiled.digest;
    let (inspection, program) = link(inner, &compiled)?;
    let description = match &program {
        Program::Plugin(template) => describe(inner, template).await?,
        Program::WasiHttp(_) => {
            let called = called.filter(|name| !name.is_empty()).ok_or_else(nameless)?;
            wasi_http::description(called, &digest, &inspection)
        }
    };
    let name = description.name.clone();
    let Set { options, layer } = match set {
        Some(set) => set,
        None => inner.present_set(&name).await?,
    };
    let limits = options
        .limits(&inner.limits)
        .map_err(|reason| Step::Configure.failed(Some(&name), vec![reason]))?;
    let checked = description::check(description, &limits)
        .map_err(|reasons| Step::Check.failed(Some(&name), reasons))?;
    check_name(inner, &name)?;
    check_exports(&checked, &program)?;
    let described = (name.as_str(), &checked.description, &inspection);
    let Configured { limits, settings, redirects, outbound } =
        check_options(inner, described, &options)?;
    inner.redaction(&name).add(&settings.secret_values);
    let holdings = match program.plugin() {
        Some(template) => holdings(inner, template).await,
        None => Ok(Vec::new()),
    };
    let holdings = holdings.map_err(|reasons| Step::Check.failed(Some(&name), reasons))?;
    Ok(Prepared {
        checked,
        holdings,
        digest,
        inspection,
        settings,
        redirects,
        outbound,
        limits,
        options,
        layer,
        program,
    })
}

/// Holds a component against what its world is served.
fn link(inner: &Inner, compiled: &Compiled) -> Result<(Inspection, Program), LoadError> {
    let Compiled { world, component, .. } = compiled;
    let mismatch = |reasons| Step::Match.failed(None, reasons);
    let failed = |error: wasmtime::Error| mismatch(vec![format!("{error:#}")]);
    let engine = inner.engine_of(*world).map_err(failed)?;
    let inspection = Inspection::of(&engine, (*world, component), &inner.interfaces);
    let mismatches = inspection.mismatches();
    if !mismatches.is_empty() {
        return Err(mismatch(mismatches));
    }
    let program = match world {
        World::Plugin => {
            let linked = inner.linker.instantiate_pre(component);
            linked.and_then(|it| Template::new(&inner.engine, it)).map(Program::Plugin)
        }
        World::WasiHttp => inner
            .standard()
            .and_then(|standard| wasi_http::Program::link(standard, component))
            .map(Program::WasiHttp),
    };
    Ok((inspection, program.map_err(failed)?))
}

fn nameless() -> LoadError {
    let reason = "a component of `wasi:http` has no name of its own: install it from a file, whose name it \
                  gets, or give it one with `--name`";
    Step::Check.failed(None, vec![reason.to_owned()])
}

/// Checks the operator's options for a plugin that has described itself.
pub(crate) fn check_options(
    inner: &Inner,
    (name, description, inspection): (&str, &caplet_abi::Description, &Inspection),
    options: &PluginOptions,
) -> Result<Configured, LoadError> {
    let refused = |reasons| Step::Configure.failed(Some(name), reasons);
    let limits = options.limits(&inner.limits).map_err(|reason| refused(vec![reason]))?;
    let missing = missing_grants(name, inspection, options, &inner.interfaces);
    if !missing.is_empty() {
        return Err(Step::Grant.failed(Some(name), missing));
    }
    let redirects = Redirects::new(&options.redirect_origins)
        .map_err(|reason| refused(vec![format!("/redirect_origins: {reason}")]))?;
    let outbound = Outbound::new(&options.outbound_origins)
        .map_err(|reason| refused(vec![format!("/outbound_origins: {reason}")]))?;
    let settings = Settings::check(&description.settings_schema, &options.settings, &limits);
    let settings = settings.map_err(refused)?;
    Ok(Configured { limits, settings, redirects, outbound })
}

async fn describe(
    inner: &Arc<Inner>,
    template: &Template,
) -> Result<caplet_abi::Description, LoadError> {
    let (context, invocation) = inner.without_rights();
    Instance::describe(template, context, invocation).await.map_err(|fault| {
        let reason = match fault {
            Fault::Busy(why) => format!("there is no room for it now: {why}"),
            fault => format!("the plugin {fault}"),
        };
        Step::Describe.failed(None, vec![reason])
    })
}

/// Two owners of one path would be told apart by chance.
fn check_name(inner: &Inner, name: &str) -> Result<(), LoadError> {
    let Some(owner) = inner.taken_names.get(name) else { return Ok(()) };
    let reason = format!("its name is taken by {owner}; rename or remove one of them");
    Err(Step::Check.failed(Some(name), vec![reason]))
}

/// What the plugin says it keeps about people.
async fn holdings(inner: &Arc<Inner>, template: &Template) -> Result<Vec<Holding>, Vec<String>> {
    let (context, invocation) = inner.without_rights();
    subject_data::describe(template, context, invocation).await
}

fn check_exports(checked: &Checked, program: &Program) -> Result<(), LoadError> {
    let description = &checked.description;
    if description.routes.is_empty() || program.plugin().is_none_or(Template::handles_http) {
        return Ok(());
    }
    let reason =
        format!("it has routes but does not export `{}`", caplet_abi::interfaces::HTTP_HANDLER);
    Err(Step::Match.failed(Some(&description.name), vec![reason]))
}

/// What it asks for and was not granted, one sentence each. Rights of the contract need a grant once
/// there is a list of grants, interfaces of the application always.
fn missing_grants(
    name: &str,
    inspection: &Inspection,
    options: &PluginOptions,
    interfaces: &BTreeMap<String, String>,
) -> Vec<String> {
    let rights = inspection.rights.iter().map(|right| (right.name, right.meaning));
    let application = inspection.application.iter().map(|interface| {
        (interface.as_str(), interfaces.get(interface).map_or("", String::as_str))
    });
    let granted = |asked: &str| match &options.grants {
        Some(grants) => grants.iter().any(|grant| grant == asked),
        None => !interfaces.contains_key(asked),
    };
    let all: Vec<(&str, &str)> = rights.chain(application).collect();
    let whole_list =
        all.iter().map(|(asked, _)| format!("{asked:?}")).collect::<Vec<_>>().join(", ");
    let remedy = |asked: &str| match &options.grants {
        Some(_) => format!("add \"{asked}\" to `grants` of `[plugin.{name}]` to allow it"),
        None => {
            format!("set `grants = [{whole_list}]` in `[plugin.{name}]` to allow all it asks for")
        }
    };
    all.iter()
        .filter(|(asked, _)| !granted(asked))
        .map(|(asked, meaning)| format!("it asks for `{asked}` ({meaning}); {}", remedy(asked)))
        .collect()
}

/// Makes a prepared plugin over its database a generation.
pub(crate) fn build(
    inner: &Arc<Inner>,
    (prepared, number): (Prepared, u32),
    database: Option<Arc<dyn Database>>,
) -> Generation {
    let name = prepared.name().to_owned();
    let Prepared { checked, holdings, digest, inspection, limits, options, layer, program, .. } =
        prepared;
    let configured = Configured {
        limits,
        settings: prepared.settings,
        redirects: prepared.redirects,
        outbound: prepared.outbound,
    };
    let quarantine = inner.quarantine(&name, &configured.limits);
    let reuse_max = configured.limits.reuse_max;
    let is_reused = match &program {
        Program::Plugin(_) => options.instances != Reuse::Fresh,
        Program::WasiHttp(program) => program.is_reused(options.instances),
    };
    Generation {
        number,
        quarantine,
        instances: WarmInstances::new(is_reused, reuse_max),
        http_instances: WarmInstances::new(is_reused, reuse_max),
        admission: Admission::new(&configured.limits),
        in_flight: InFlight::clone(&inner.in_flight),
        streams: InFlight::clone(&inner.streams),
        n_failures_in_a_row: AtomicU32::new(0),
        scores: Scores::default(),
        context: inner.context(&name, configured, (database, Some(schema::tag(&digest)))),
        checked,
        holdings,
        digest,
        inspection,
        options,
        layer,
        program,
    }
}

impl Inner {
    /// What a component is asked with about itself, before it has a name.
    fn without_rights(&self) -> (Arc<Context>, Invocation) {
        let mut limits = self.limits.clone();
        // Whose limits hold for it is known once it has said its name.
        limits.memory_bytes_max = self.memory_bytes_max_of_any();
        limits.memory_total_bytes_max = limits.memory_total_bytes_max.max(limits.memory_bytes_max);
        let cpu_budget = Duration::from_millis(limits.describe_cpu_ms_max);
        let invocation = Invocation::describing(limits.wall_time(), cpu_budget);
        let configured = Configured {
            limits,
            settings: Settings::none(),
            redirects: Redirects::default(),
            outbound: Outbound::default(),
        };
        (self.context("(describing)", configured, (None, None)), invocation)
    }

    /// What the instances of a generation share.
    fn context(
        &self,
        plugin: &str,
        configured: Configured,
        (database, statements): (Option<Arc<dyn Database>>, Option<Tag>),
    ) -> Arc<Context> {
        let Configured { limits, settings, redirects, outbound } = configured;
        let shared = self.shared(plugin, &limits);
        Arc::new(Context {
            plugin: plugin.into(),
            limits,
            settings,
            redirects,
            outbound,
            database,
            statements,
            authorizer: self.authorizer.clone(),
            clock: self.clock.clone(),
            memory: shared.memory,
            log: shared.log,
            metrics: shared.metrics,
            revoked: self.revoked(plugin),
            redaction: self.redaction(plugin),
            share: shared.share,
            back_row: self.back_row.clone(),
            slow_call: self.slow_call,
        })
    }

    /// The rights that are revoked of a plugin, whether it is loaded or not.
    pub(crate) fn revoked(&self, plugin: &str) -> Arc<Revoked> {
        let mut all = self.revoked.lock();
        let new = || {
            let denials = self.metrics.denials(plugin);
            Arc::new(Revoked::new(plugin.into(), self.audit.clone(), denials))
        };
        all.entry(plugin.to_owned()).or_insert_with(new).clone()
    }

    fn quarantine(&self, plugin: &str, limits: &Limits) -> Arc<Quarantine> {
        let metrics = self.shared(plugin, limits).metrics;
        Quarantine::new(limits, self.clock.clone(), (metrics, Some(self.audit.clone())))
    }

    /// What all generations of a plugin share, so that an upgrade neither doubles a limit nor
    /// resets a counter.
    fn shared(&self, plugin: &str, limits: &Limits) -> Shared {
        let mut plugins = self.shared.lock();
        plugins
            .entry(plugin.to_owned())
            .or_insert_with(|| {
                let metrics = self.metrics.plugin(plugin);
                let redaction = self.redaction(plugin);
                let log = LogGate::new((plugin.into(), redaction), limits, metrics.clone());
                let share = self.processors.share(plugin, limits);
                Shared { memory: Arc::default(), log: Arc::new(log), metrics, share }
            })
            .clone()
    }
}

/// What the operator's options for a plugin come to.
pub(crate) struct Configured {
    limits: Limits,
    settings: Settings,
    redirects: Redirects,
    outbound: Outbound,
}

/// What all generations of one plugin share.
#[derive(Clone)]
pub(crate) struct Shared {
    memory: Arc<crate::memory::PluginMemory>,
    log: Arc<LogGate>,
    metrics: Arc<crate::metrics::PluginMetrics>,
    share: Arc<crate::cpu_share::Share>,
}
