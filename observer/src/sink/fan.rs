//! All ways out, from both sides: the stage that completes events puts them in ([`Fan`]), the run starts, changes,
//! counts and ends them ([`Lanes`]).

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use super::{
    Setup, Sink, Surroundings,
    counts::{Counts, SinkCount},
    lane::{Feed, Lane},
};
use crate::{delivery::Delivery, diagnose::diagnose, options::Sinks, sandbox::Confinement, vitals::Vitals};

/// How long sinks may take for what waits, at the end.
const FLUSH_LIMIT: Duration = Duration::from_secs(5);

/// Where completed events are put.
#[derive(Clone, Default)]
pub struct Fan {
    feeds: Vec<Feed>,
}

impl Fan {
    /// Whether anybody takes events.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.feeds.is_empty()
    }

    /// Gives events to all sinks. Never waits.
    pub fn offer(&self, delivery: &Arc<Delivery>) {
        if !delivery.events().is_empty() {
            self.feeds.iter().for_each(|feed| feed.offer(delivery));
        }
    }

    /// Waits until all sinks have room for events. For who would rather wait than lose any, and is the only one who offers.
    pub async fn wait(&self, delivery: &Delivery) {
        for feed in &self.feeds {
            feed.wait(delivery).await;
        }
    }

    /// Waits until all sinks have dealt with everything.
    pub async fn emptied(&self) {
        for feed in &self.feeds {
            feed.emptied().await;
        }
    }
}

/// Sinks that are open, and wait for the threads that serve them.
pub struct Opened {
    sinks: Vec<(Setup, Box<dyn Sink>)>,
    around: Surroundings,
}

/// The sinks at work.
pub struct Lanes {
    lanes: Vec<Lane>,
    /// What their threads are confined to.
    rules: Option<Confinement>,
    /// Those of the stream, which counts only beside sinks.
    stream: Arc<Counts>,
    /// What sinks may look at: among it the counters of all that are at work.
    around: Surroundings,
}

/// Counters of all sinks at work.
#[derive(Clone, Debug, Default)]
pub struct Ledger(Arc<Mutex<Vec<Arc<Counts>>>>);

impl Ledger {
    /// What they are now.
    #[must_use]
    pub fn read(&self) -> Vec<SinkCount> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|counts| counts.read()).collect()
    }

    fn replace(&self, counts: Vec<Arc<Counts>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = counts;
    }
}

impl Opened {
    /// Opens all sinks.
    ///
    /// # Errors
    /// When one of them can never work so.
    pub fn open(sinks: &Sinks, vitals: &Vitals) -> Result<Self> {
        let around = Surroundings { vitals: vitals.clone(), ..Surroundings::default() };
        let open = |setup: Setup| {
            let sink = setup.open(&around)?;
            Ok((setup, sink))
        };
        let sinks = distinct(sinks)?.into_iter().map(open).collect::<Result<_>>()?;
        Ok(Self { sinks, around })
    }

    /// Starts their threads, under these rules.
    ///
    /// # Errors
    /// When there can be no thread under such rules.
    pub fn start(self, rules: Option<Confinement>) -> Result<Lanes> {
        let begun = self.sinks.into_iter().map(|(setup, sink)| Lane::start(setup, sink, copy(rules.as_ref())?));
        let lanes = Lanes {
            lanes: begun.collect::<Result<_>>()?,
            rules,
            stream: Arc::new(Counts::of("stdout")),
            around: self.around,
        };
        lanes.publish();
        Ok(lanes)
    }
}

impl Lanes {
    /// Where their events are put.
    #[must_use]
    pub fn fan(&self) -> Fan {
        Fan { feeds: self.lanes.iter().map(Lane::feed).collect() }
    }

    /// Counters of the stream beside them.
    #[must_use]
    pub fn stream_counts(&self) -> Arc<Counts> {
        Arc::clone(&self.stream)
    }

    /// Their counters, also after a change.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.around.ledger.clone()
    }

    /// Changes to other sinks. Those whose settings are the same go on and open their files anew; those of the same name
    /// go on with other settings. Gives those that are no more wanted; they work until nobody holds their feed.
    ///
    /// # Errors
    /// When a new one can never work so: then all is as before.
    pub fn change(&mut self, sinks: &Sinks) -> Result<Retired> {
        let wanted = distinct(sinks)?;
        // Those of the same name go on under the rules that they have: they go to the same place.
        let rules = self.rules.as_ref().map(|rules| rules.with(sinks)).transpose()?;
        let mut begun = Vec::new();
        for setup in wanted.iter().filter(|setup| self.lanes.iter().all(|lane| lane.setup.name != setup.name)) {
            begun.push(Lane::start(setup.clone(), setup.open(&self.around)?, copy(rules.as_ref())?)?);
        }
        self.rules = rules;
        let mut retired = Vec::new();
        for mut lane in std::mem::take(&mut self.lanes) {
            match wanted.iter().find(|setup| setup.name == lane.setup.name) {
                None => {
                    retired.push(lane);
                    continue;
                }
                Some(setup) if lane.setup == *setup => lane.reopen(),
                Some(setup) => lane.change(setup.clone(), self.around.clone()),
            }
            self.lanes.push(lane);
        }
        self.lanes.append(&mut begun);
        self.publish();
        Ok(Retired(retired))
    }

    /// Ends all sinks: what waits is delivered, as far as that is possible in a few seconds. What is left is told.
    pub async fn finish(self) {
        Retired(self.lanes).finish().await;
    }

    fn publish(&self) {
        let mut counts: Vec<_> = self.lanes.iter().map(|lane| Arc::clone(lane.counts())).collect();
        if !counts.is_empty() {
            counts.push(Arc::clone(&self.stream));
        }
        self.around.ledger.replace(counts);
    }
}

/// Settings of all sinks. Their names tell them apart, in events, metrics and files.
fn distinct(sinks: &Sinks) -> Result<Vec<Setup>> {
    let all = Setup::all(sinks);
    for (index, setup) in all.iter().enumerate() {
        let twice = all[..index].iter().any(|other| other.name == setup.name);
        ensure!(!twice, "there are two sinks {}: give each a place of its own, or remove one", setup.name);
    }
    Ok(all)
}

fn copy(rules: Option<&Confinement>) -> Result<Option<Confinement>> {
    rules.map(Confinement::try_clone).transpose().context("cannot duplicate the Landlock rules")
}

/// Sinks that are to end.
pub struct Retired(Vec<Lane>);

impl Retired {
    /// Ends them, once nobody else puts anything in.
    pub async fn finish(self) {
        let deadline = Instant::now() + FLUSH_LIMIT;
        for lane in self.0 {
            let count = lane.finish(deadline).await.read();
            if count.lost > 0 {
                let error = count.error.map(|error| format!(" ({error})")).unwrap_or_default();
                diagnose(format_args!(
                    "sink {} has lost {} of {} events{error}",
                    count.name, count.lost, count.accepted
                ));
            }
        }
    }
}
