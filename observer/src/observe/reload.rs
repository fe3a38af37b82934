//! SIGHUP: filters and sinks as the configuration file has them now.

use anyhow::Result;

use super::{Session, check_processes};
use crate::{attribute::Stage, command::Child, diagnose::diagnose, seed};

impl Session<'_> {
    /// Reads the configuration file again. What cannot be used changes nothing, and is told.
    pub(super) async fn reload(&mut self, stage: &mut Stage) -> Result<()> {
        self.notifier.reloading();
        let reloaded = self.reload_or_keep(stage).await;
        self.notifier.ready();
        reloaded
    }

    async fn reload_or_keep(&mut self, stage: &mut Stage) -> Result<()> {
        match self.try_to_reload(stage).await {
            Ok(()) => {
                let command = self.child.as_ref().map(Child::pid);
                // Of connections in namespaces that were not observed, nobody has told the owners.
                let seeds = seed::sockets(&self.options.filters.netns).0;
                self.attached.seed(&seeds, &self.options.filters, command)
            }
            Err(error) => {
                diagnose(format_args!("not reloaded, all is as before: {error:#}"));
                Ok(())
            }
        }
    }

    async fn try_to_reload(&mut self, stage: &mut Stage) -> Result<()> {
        let new = (self.again)()?;
        check_processes(&new)?;
        let command = self.child.as_ref().map(Child::pid);
        self.attached.change_filters(&self.options.filters, &new.filters, command)?;
        if let Err(error) = stage.change(&new.sinks).await {
            self.attached.change_filters(&new.filters, &self.options.filters, command)?;
            return Err(error);
        }
        self.auditor.keep_to(&new.filters.netns);
        let needs_restart = self.options.reload(&new);
        if !needs_restart.is_empty() {
            diagnose(format_args!("reloaded filters and sinks; needs a restart: {}", needs_restart.join(", ")));
        }
        self.stream.reloaded(self.options, needs_restart);
        Ok(())
    }
}
