//! Decoding a page of workflows and assessing it, in bytes per second.
#![allow(clippy::unwrap_used)]

use argo_gc_core::argo::list::{Item, decode};
use argo_gc_core::argo::workflow::Workflow;
use argo_gc_core::assess::assess;
use argo_gc_core::model::context::{Context, Controllers, Related};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

/// A page of 100 workflows of about 30 kB, many nodes each.
fn page() -> Vec<u8> {
    let node = |wf: usize, n: usize| {
        format!(
            r#""wf-{wf}-{n}":{{"id":"wf-{wf}-{n}","name":"wf-{wf}.step-{n}","displayName":"step-{n}","type":"Pod","templateName":"step","templateScope":"local/wf-{wf}","phase":"Succeeded","boundaryID":"wf-{wf}","startedAt":"2026-11-01T02:00:00Z","finishedAt":"2026-11-01T02:10:00Z","resourcesDuration":{{"cpu":60}},"inputs":{{"parameters":[{{"name":"day","value":"{}"}}]}},"outputs":{{"artifacts":[{{"name":"table","path":"/out","gcs":{{"key":"wf-{wf}/{n}/table.tgz"}}}},{{"name":"main-logs","gcs":{{"key":"wf-{wf}/{n}/main.log"}}}}]}}}}"#,
            "x".repeat(1200)
        )
    };
    let workflow = |wf: usize| {
        let nodes: Vec<String> = (0..14).map(|n| node(wf, n)).collect();
        format!(
            r#"{{"metadata":{{"name":"wf-{wf}","namespace":"ml","uid":"u{wf}","finalizers":["workflows.argoproj.io/artifact-gc"]}},"spec":{{"artifactGC":{{"strategy":"OnWorkflowDeletion"}},"templates":[{{"name":"step","outputs":{{"artifacts":[{{"name":"table"}}]}}}}]}},"status":{{"phase":"Succeeded","artifactGCStatus":{{}},"artifactRepositoryRef":{{"artifactRepository":{{"gcs":{{"bucket":"b"}}}}}},"nodes":{{{}}}}}}}"#,
            nodes.join(",")
        )
    };
    let items: Vec<String> = (0..100).map(workflow).collect();
    format!(r#"{{"items":[{}],"metadata":{{}}}}"#, items.join(",")).into_bytes()
}

fn bench(criterion: &mut Criterion) {
    let page = page();
    let now = "2026-11-20T00:00:00Z".parse().unwrap();
    let context = Context { now, controllers: Controllers::default(), related: Related::default() };
    let mut group = criterion.benchmark_group("page");
    group.throughput(Throughput::Bytes(page.len() as u64));
    group.bench_function("decode", |bencher| {
        bencher.iter(|| {
            decode::<Workflow>(&page, |item| {
                black_box(item);
            })
            .unwrap();
        });
    });
    group.bench_function("decode and assess", |bencher| {
        bencher.iter(|| {
            decode::<Workflow>(&page, |item| {
                let Item::Object(mut workflow) = item else { unreachable!() };
                black_box(assess(&mut workflow, &context));
            })
            .unwrap();
        });
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
