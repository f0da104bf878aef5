//! System calls and allocations a call: in runs of their own, as counting them takes time.

use super::Bench;
use super::process::{self, ClientRun, Process, ServerRun};
use super::system_calls::Counter;
use crate::measurement::Side;
use crate::{Implementation, Result};

pub(super) struct Counted {
    pub(super) system_calls_per_call: f64,
    pub(super) allocations_per_call: f64,
}

impl Bench<'_> {
    pub(super) async fn count(&self, implementation: Implementation) -> Result<Counted> {
        self.progress.set_message(format!(
            "{}: {}, counting",
            self.scenario,
            implementation.name()
        ));
        // What a run costs whatever its length is the same in both.
        let (short, long) = (self.scenario.fewest_calls(), 3 * self.scenario.fewest_calls());
        let of_short = self.system_calls(implementation, short).await?;
        let of_long = self.system_calls(implementation, long).await?;
        Ok(Counted {
            system_calls_per_call: of_long.saturating_sub(of_short) as f64 / (long - short) as f64,
            allocations_per_call: self.allocations(implementation, long).await?,
        })
    }

    /// Of a whole run.
    async fn system_calls(&self, implementation: Implementation, calls: u64) -> Result<u64> {
        let counting = Counter::new(self.tool, self.queue);
        let counter = Some(&counting);
        // As many as in the other run.
        let warm_up = 2 * self.scenario.in_flight as u64;
        let client = self.client(implementation, calls);
        match self.scenario.side {
            Side::Client => {
                let client = ClientRun { counter, warm_up, ..client };
                process::client(&client, None).await?;
            }
            Side::Server => {
                let server = self.server(implementation);
                let server = Process::server(&ServerRun { counter, ..server }).await?;
                let implementation = Implementation::Floor;
                let load = ClientRun { implementation, warm_up, ..client };
                process::client(&load, None).await?;
                server.stop().await?;
            }
        }
        counting.total()
    }

    /// Of one call.
    async fn allocations(&self, implementation: Implementation, calls: u64) -> Result<f64> {
        let counted = match self.scenario.side {
            Side::Client => {
                let client = self.client(implementation, calls);
                let client = ClientRun { counts_allocations: true, ..client };
                process::client(&client, None).await?.allocations_per_call
            }
            Side::Server => {
                let server = self.server(implementation);
                let server = ServerRun { counts_allocations: true, ..server };
                let mut server = Process::server(&server).await?;
                let load = self.client(Implementation::Floor, calls);
                process::client(&load, Some(&mut server)).await?;
                let spent = server.end().await?;
                server.stop().await?;
                spent.allocations_per_call
            }
        };
        Ok(counted.ok_or("no allocations were counted")?)
    }
}
