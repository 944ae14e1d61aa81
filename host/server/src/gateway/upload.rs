//! The body of a request on its way to a service: bounded in size, and in the time that the caller
//! may be waited for. Time that the service takes is counted elsewhere (`attempt`).

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::body;
use crate::config::Http;
use crate::content::{Error, RequestBody};
use crate::problem::Problem;

/// What the one who waits for the answer sees of a body.
#[derive(Debug)]
pub(crate) struct Progress {
    began: Instant,
    /// When the service took the last part, in milliseconds since the beginning.
    moved_ms: AtomicU64,
    /// The caller is being waited for, not the service.
    waits_for_caller: AtomicBool,
    /// What the caller did wrong.
    fault: OnceLock<Problem>,
}

impl Progress {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            moved_ms: AtomicU64::new(0),
            waits_for_caller: AtomicBool::new(false),
            fault: OnceLock::new(),
        })
    }

    /// Since when the service has been waited for.
    pub(crate) fn service_waited_for_since(&self) -> Instant {
        if self.waits_for_caller.load(Ordering::Relaxed) {
            return Instant::now();
        }
        self.began + Duration::from_millis(self.moved_ms.load(Ordering::Relaxed))
    }

    /// What the caller did wrong.
    pub(crate) fn fault(&self) -> Option<Problem> {
        self.fault.get().cloned()
    }

    fn moved(&self) {
        let since = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved_ms.store(since, Ordering::Relaxed);
        self.waits_for_caller.store(false, Ordering::Relaxed);
    }
}

/// A body that ends with an error when it is too large or comes too slowly.
pub(crate) struct Upload<B> {
    body: B,
    bytes_max: u64,
    n_bytes: u64,
    http: Http,
    /// How long the caller has been waited for altogether, but for the present wait.
    waited: Duration,
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
    progress: Arc<Progress>,
}

impl<B: RequestBody> Upload<B> {
    pub(crate) fn new(body: B, bytes_max: u64, http: &Http, progress: Arc<Progress>) -> Self {
        Self {
            body,
            bytes_max,
            n_bytes: 0,
            http: http.clone(),
            waited: Duration::ZERO,
            waiting: None,
            progress,
        }
    }

    fn came(&mut self, data: Bytes) -> Result<Frame<Bytes>, Error> {
        if let Some((since, _)) = self.waiting.take() {
            self.waited += since.elapsed();
        }
        self.progress.moved();
        self.n_bytes += data.len() as u64;
        if self.n_bytes > self.bytes_max {
            let bytes_max = usize::try_from(self.bytes_max).unwrap_or(usize::MAX);
            return Err(self.fail(Problem::body_too_large(bytes_max)));
        }
        Ok(Frame::data(data))
    }

    fn fail(&self, fault: Problem) -> Error {
        let code = fault.code();
        self.progress.fault.get_or_init(|| fault);
        code.into()
    }

    /// Waits for the caller, as long as the pace that it has held allows.
    fn wait(&mut self, context: &mut Context<'_>) -> Poll<Error> {
        self.progress.waits_for_caller.store(true, Ordering::Relaxed);
        let allowed = self.http.body_time(usize::try_from(self.n_bytes).unwrap_or(usize::MAX));
        let left = allowed.saturating_sub(self.waited);
        let (_, timer) = self
            .waiting
            .get_or_insert_with(|| (Instant::now(), Box::pin(tokio::time::sleep(left))));
        std::task::ready!(timer.as_mut().poll(context));
        Poll::Ready(self.fail(body::too_slow()))
    }
}

impl<B: RequestBody> Body for Upload<B> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        loop {
            match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => return Poll::Ready(Some(self.came(data))),
                    // Trailers are not passed on.
                    Err(_) => continue,
                },
                Poll::Ready(Some(Err(_))) => {
                    return Poll::Ready(Some(Err(self.fail(body::broken_off()))));
                }
                Poll::Ready(None) => {
                    self.progress.moved();
                    return Poll::Ready(None);
                }
                Poll::Pending => return self.wait(context).map(|error| Some(Err(error))),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;
    use http_body_util::{BodyExt, StreamBody};

    use super::*;

    /// Pieces that come one `pause` after another.
    fn pieces(n: usize, bytes: usize, pause: Duration) -> impl RequestBody {
        let pieces = futures::stream::iter(0..n).then(move |_| async move {
            tokio::time::sleep(pause).await;
            Ok::<_, Error>(Frame::data(Bytes::from(vec![b'x'; bytes])))
        });
        StreamBody::new(Box::pin(pieces))
    }

    async fn sent(body: impl RequestBody, bytes_max: u64) -> Result<usize, &'static str> {
        let progress = Progress::new();
        let upload = Upload::new(body, bytes_max, &Http::default(), progress.clone());
        match upload.collect().await {
            Ok(all) => Ok(all.to_bytes().len()),
            Err(_) => Err(progress.fault().expect("the caller did something wrong").code()),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn ends_bodies_that_are_too_large_or_too_slow() {
        let second = Duration::from_secs(1);
        assert_eq!(sent(pieces(3, 10, Duration::ZERO), 30).await, Ok(30));
        assert_eq!(sent(pieces(4, 10, Duration::ZERO), 30).await, Err("body-too-large"));
        assert_eq!(sent(pieces(4, 1, second), 30).await, Ok(4));
        assert_eq!(sent(pieces(8, 1, second), 30).await, Err("body-too-slow"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_takes_its_time_is_not_the_callers_fault() {
        let progress = Progress::new();
        let body = pieces(4, 1, Duration::from_secs(1));
        let mut upload = Upload::new(body, 30, &Http::default(), progress.clone());
        while let Some(frame) = upload.frame().await {
            frame.unwrap();
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        assert!(progress.fault().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn tells_for_whom_is_waited() {
        let progress = Progress::new();
        let body = pieces(1, 1, Duration::from_secs(3));
        let mut upload = Upload::new(body, 30, &Http::default(), progress.clone());
        let waiting = tokio::time::timeout(Duration::from_secs(1), upload.frame()).await;
        assert!(waiting.is_err());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(progress.service_waited_for_since(), Instant::now());
        upload.frame().await.unwrap().unwrap();
        let taken = Instant::now();
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(progress.service_waited_for_since(), taken);
    }
}
