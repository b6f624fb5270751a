//! What goes wrong on demand.

use super::*;

#[test]
#[ignore = "tests/run brings what it needs"]
fn every_nth_delete_is_refused_before_it_is_executed_on_fake_gcs() {
    let (gcs, http) = start();
    gcs.bucket("bkt");
    for key in ["a", "b", "c", "d"] {
        gcs.put("bkt", key, "1");
    }
    gcs.fail_every(2, 429);
    assert_eq!(http.delete("/storage/v1/b/bkt/o/a").0, 204);
    let refused = http.delete("/storage/v1/b/bkt/o/b");
    assert_eq!(reason(&refused), (429, "rateLimitExceeded"));
    assert_eq!(http.get("/storage/v1/b/bkt/o/b").0, 200);
    assert_eq!(http.delete("/storage/v1/b/bkt/o/b").0, 204);
    gcs.heal();
    gcs.fail_every(1, 503);
    assert_eq!(reason(&http.delete("/storage/v1/b/bkt/o/c")), (503, "backendError"));
    gcs.heal();
    assert_eq!(http.delete("/storage/v1/b/bkt/o/c").0, 204);
    assert_eq!(gcs.keys("bkt"), ["d"]);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_delete_may_be_executed_though_its_answer_says_otherwise_or_never_comes_on_fake_gcs() {
    let (gcs, http) = start();
    gcs.bucket("bkt");
    gcs.put("bkt", "failed", "1");
    gcs.put("bkt", "cut", "1");
    gcs.fail_after_every(1, 503);
    assert_eq!(reason(&http.delete("/storage/v1/b/bkt/o/failed")), (503, "backendError"));
    gcs.heal();
    gcs.cut_after_every(1);
    let error = http.try_send(Method::DELETE, "/storage/v1/b/bkt/o/cut", "").unwrap_err();
    assert!(error.is_request(), "{error:?}");
    assert_eq!(gcs.keys("bkt"), [""; 0]);
    let seen: Vec<_> = gcs.deletes().iter().map(|entry| (entry.status, entry.executed)).collect();
    assert_eq!(seen, [(Some(503), true), (None, true)]);
    gcs.heal();
    assert_eq!(http.get("/storage/v1/b/bkt").0, 200);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn an_object_is_overwritten_between_plan_and_delete_on_fake_gcs() {
    let (gcs, http) = start();
    gcs.bucket("bkt");
    let planned = gcs.put("bkt", "k", "planned");
    gcs.before_delete("bkt", "k", |gcs| assert!(gcs.put("bkt", "k", "overwritten") > 0));
    let refused = http.delete(&format!("/storage/v1/b/bkt/o/k?ifGenerationMatch={planned}"));
    assert_eq!(reason(&refused), MISMATCH);
    assert_eq!(gcs.bytes("bkt", "k").unwrap(), b"overwritten");
    assert_eq!(http.delete("/storage/v1/b/bkt/o/k").0, 204);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn a_stalled_delete_is_executed_after_its_client_has_gone_on_fake_gcs() {
    let (gcs, http) = start();
    gcs.bucket("bkt");
    gcs.put("bkt", "k", "1");
    gcs.stall(1, Duration::from_secs(1));
    let request = http.client.delete(format!("{}/storage/v1/b/bkt/o/k", http.url));
    let request = request.timeout(Duration::from_millis(200));
    let result = http.runtime.block_on(async { request.send().await });
    assert!(result.unwrap_err().is_timeout());
    assert_eq!(gcs.keys("bkt"), ["k"]);
    let start = Instant::now();
    while gcs.deletes()[0].status.is_none() {
        assert!(start.elapsed() < Duration::from_secs(180));
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(gcs.keys("bkt"), [""; 0]);
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn latency_shows_how_many_deletes_are_under_way_at_once_on_fake_gcs() {
    let (gcs, http) = start();
    gcs.bucket("bkt");
    let start = Instant::now();
    gcs.latency(Duration::from_millis(50));
    http.get("/storage/v1/b/bkt");
    assert!(start.elapsed() >= Duration::from_millis(50));
    gcs.latency(Duration::ZERO);
    gcs.stall(1, Duration::from_millis(500));
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for key in ["x", "y", "z"] {
            let (gcs, sender) = (&gcs, sender.clone());
            scope.spawn(move || sender.send(Http::new(gcs).delete(&format!("/storage/v1/b/bkt/o/{key}")).0));
        }
    });
    drop(sender);
    assert_eq!(receiver.iter().collect::<Vec<_>>(), [404; 3]);
    assert_eq!(gcs.most_deletes_at_once(), 3);
}
