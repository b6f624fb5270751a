//! `--inventory`: the report that a storage makes of its objects, in place of listings.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use argo_gc_store::azure::credentials::AzureChain;
use argo_gc_store::cloud::{Cloud, CloudCredentials};
use argo_gc_store::gcs::credentials::Credentials;
use argo_gc_store::s3::credentials::AwsChain;
use argo_gc_store::store::Store;
use argo_gc_store::throttle::Throttle;
use futures::TryStreamExt;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::Ran;
use crate::support::clouds::{ACCOUNT, Emulator, KEY};
use crate::support::inventory::{Files, Kind, Made, Shape, md5, packed};
use crate::support::kube::ADMIN;
use crate::support::purge::{BUCKET, Folder, Live, deletes, pod, workflow};

const OLD: SignedDuration = SignedDuration::from_hours(24 * 30);

/// Keys of workflows that are gone, as odd as they come.
const ODD: [&str; 6] = [
    "argo/gone/gone-1/a.tgz",
    "argo/gone/gone-1/b c+d%20.tgz",
    "argo/gone/gone-1/a,b.tgz",
    "argo/gone/gone-1/say \"hi\".tgz",
    "argo/gone/gone-2/ü😀.tgz",
    "argo/lost/lost-1/a.tgz",
];

/// One workflow with its object, odd keys of workflows that are gone, and what is not Argo's: in buckets, and as an inventory
/// has it.
fn made(shape: Shape) -> (Folder, Made) {
    let mut folder = Folder::new();
    folder.add(workflow("ml", "train", &["argo/train/1/a.tgz"]));
    let mut made = Made::new(shape, BUCKET);
    for key in
        ["argo/train/1/a.tgz", "argo/train/train-7/a.tgz", "argo/notes.txt", "argon/x/y"].iter().chain(&ODD)
    {
        folder.put_at(BUCKET, key, OLD);
        made.add(key, OLD);
    }
    // Between the live ones stand copies of them, and of what was deleted.
    for (key, kind) in [
        ("argo/gone/gone-1/a.tgz", Kind::Copy),
        ("argo/gone/gone-3/a.tgz", Kind::Copy),
        ("argo/gone/gone-3/a.tgz", Kind::Deleted),
    ] {
        made.add_kind(key, OLD, kind);
    }
    (folder, made)
}

/// What `orphans` says of the place, as JSON and without the times.
fn found(folder: &Folder, made: &Made, more: &[&str]) -> Value {
    let repository = format!("{}/argo", made.repository());
    let arguments: Vec<&str> =
        ["--repository", &repository, "-o", "json"].into_iter().chain(more.iter().copied()).collect();
    let mut document = folder.run("orphans", &arguments).ends_with(0).json();
    for group in document["repositories"][0]["orphans"].as_array_mut().unwrap() {
        group.as_object_mut().unwrap().remove("newest");
    }
    document
}

/// The keys of a plan made with these arguments.
fn planned(folder: &Folder, made: &Made, more: &[&str]) -> (Value, Value) {
    let directory = TempDir::new().unwrap();
    let plan = directory.path().join("plan.json").display().to_string();
    let arguments: Vec<&str> = more.iter().copied().chain(["--exclusive", "--plan-out", &plan]).collect();
    let document = found(folder, made, &arguments);
    (document, serde_json::from_str(&std::fs::read_to_string(&plan).unwrap()).unwrap())
}

/// The objects of a plan, each with its pin.
fn pins(plan: &Value) -> Vec<(String, String)> {
    let workflows = plan["workflows"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut pins: Vec<_> = workflows
        .flat_map(|workflow| workflow["delete"].as_array().unwrap())
        .map(|object| (text(&object["key"]), text(&object["generation"])))
        .collect();
    pins.sort();
    pins
}

#[test]
fn an_inventory_tells_what_a_listing_tells_in_every_shape() {
    for shape in Shape::ALL {
        let (folder, made) = made(shape);
        let place = TempDir::new().unwrap();
        let inventory = made.write(place.path()).display().to_string();
        let listed = found(&folder, &made, &[]);
        let told = found(&folder, &made, &["--inventory", &inventory]);
        assert_eq!(told["repositories"], listed["repositories"], "{shape:?}");
        assert_eq!(listed["repositories"][0]["orphans"][0]["objects"], 5, "{shape:?} {listed}");
        assert_eq!(told["inventory"], json!({ "name": inventory, "asOf": made.as_of }), "{shape:?}");
        assert_eq!((&told["gaps"], &listed["gaps"]), (&json!([]), &Value::Null));
        // A plan is by what the storage has now, pins and all.
        let (_, by_listing) = planned(&folder, &made, &[]);
        let (document, by_inventory) = planned(&folder, &made, &["--inventory", &inventory]);
        assert_eq!(pins(&by_inventory), pins(&by_listing), "{shape:?}");
        assert_eq!(pins(&by_inventory).len(), ODD.len(), "{shape:?}");
        assert_eq!(document["repositories"], listed["repositories"], "{shape:?}");
        // Copied into one folder it is the same.
        let flat = TempDir::new().unwrap();
        let inventory = made.files().write_flat(flat.path()).display().to_string();
        let told = found(&folder, &made, &["--inventory", &inventory]);
        assert_eq!(told["repositories"], listed["repositories"], "{shape:?}");
    }
}

/// So many names that their sums don't stay in memory; each comes twice, far apart.
const MANY: usize = 70_000;

#[test]
fn sums_of_many_names_wait_on_disk_and_are_whole_or_an_error() {
    let mut made = Made::new(Shape::Gcs, BUCKET);
    for (round, name) in (0..2).flat_map(|round| (0..MANY).map(move |name| (round, name))) {
        let long = if round == 0 { "" } else { &"x".repeat(name % 3) };
        made.add(&format!("argo/gone-{name:05}/gone-{name:05}-1/a{long}.tgz"), OLD);
    }
    let (folder, place) = (Folder::new(), TempDir::new().unwrap());
    let inventory = made.write(place.path()).display().to_string();
    let orphans = |format: &str, temporary: Option<&str>| {
        let arguments = ["--repository", "gs://ml-artifacts/argo", "--inventory", &inventory, "-o", format];
        let mut command = folder.command("orphans", &arguments);
        temporary.map(|folder| command.env("TMPDIR", folder));
        Ran::of(command)
    };
    let document = orphans("json", None).ends_with(0).json();
    let groups = document["repositories"][0]["orphans"].as_array().unwrap();
    assert_eq!(groups.len(), MANY);
    let number = |group: &Value, field: &str| group[field].as_u64().unwrap();
    assert!(groups.iter().all(|group| number(group, "objects") == 2));
    assert!(groups.is_sorted_by_key(|group| std::cmp::Reverse(number(group, "bytes"))));
    let bytes: u64 = groups.iter().map(|group| number(group, "bytes")).sum();
    let head = format!("{} orphans", 2 * MANY);
    let table = orphans("table", None).ends_with(0);
    assert!(table.out.contains(&head) && table.out.lines().count() > MANY, "{}", &table.out[..500]);
    let names: std::collections::BTreeSet<&str> =
        groups.iter().map(|group| group["name"].as_str().unwrap()).collect();
    assert_eq!((names.len(), bytes), (MANY, made.bytes()));
    // Half an answer is none.
    let failed = orphans("json", Some("/nowhere")).ends_with(1);
    assert!(failed.out.is_empty(), "{}", failed.out);
    assert!(failed.err.contains("a temporary file: "), "{}", failed.err);
}

#[test]
fn an_inventory_in_a_bucket_is_read_there() {
    for shape in Shape::ALL {
        let (folder, made) = made(shape);
        made.write(&folder.bucket("reports"));
        let at = match shape {
            Shape::S3 => "s3://reports",
            Shape::Azure => "https://devstoreaccount1.blob.core.windows.net/reports",
            _ => "gs://reports",
        };
        let inventory = format!("{at}/{}", made.files().key);
        let told = found(&folder, &made, &["--inventory", &inventory]);
        assert_eq!(told["repositories"], found(&folder, &made, &[])["repositories"], "{shape:?}");
        assert_eq!(told["inventory"]["name"], *inventory);
    }
}

#[test]
fn its_date_is_said_and_what_is_younger_is_not_offered() {
    let (folder, mut made) = made(Shape::S3);
    let day = SignedDuration::from_hours(24);
    // One was written while the inventory was made, and one is not in it.
    for (key, age) in
        [("argo/gone/gone-8/a.tgz", day - SignedDuration::from_mins(5)), ("argo/gone/gone-9/a.tgz", day / 2)]
    {
        folder.put_at(BUCKET, key, age);
    }
    made.add("argo/gone/gone-8/a.tgz", day - SignedDuration::from_mins(5));
    // One was written again since.
    folder.put_at(BUCKET, ODD[0], SignedDuration::from_hours(1));
    // One was deleted since.
    std::fs::remove_file(folder.bucket(BUCKET).join(ODD[1])).unwrap();
    let place = TempDir::new().unwrap();
    let inventory = made.write(place.path()).display().to_string();
    let (document, plan) = planned(&folder, &made, &["--inventory", &inventory, "--older", "0s"]);
    let keys: Vec<String> = pins(&plan).into_iter().map(|(key, _)| key).collect();
    let mut left: Vec<&str> = ODD[2..].to_vec();
    left.sort_unstable();
    assert_eq!(keys, left);
    let place = &document["repositories"][0];
    assert_eq!((&place["young"], &place["gone"]), (&json!(2), &json!(1)), "{document}");
    let repository = format!("s3://{BUCKET}/argo");
    let ran = folder
        .run("orphans", &["--repository", &repository, "--inventory", &inventory, "--older", "0s"])
        .ends_with(0);
    assert!(ran.err.contains(&format!("as of {}", made.as_of)), "{}", ran.err);
    assert!(ran.out.contains("1 too young"), "{}", ran.out);
}

#[test]
fn a_key_that_is_listed_twice_is_planned_once() {
    let (folder, mut made) = made(Shape::GcsWithHeader);
    for key in ODD {
        made.add(key, OLD);
    }
    let place = TempDir::new().unwrap();
    let inventory = made.write(place.path()).display().to_string();
    let (document, plan) = planned(&folder, &made, &["--inventory", &inventory]);
    assert_eq!(pins(&plan).len(), ODD.len());
    assert_eq!(plan["totals"]["objects"], ODD.len());
    assert_eq!(document["repositories"][0]["orphans"][0]["objects"], 5);
}

/// Runs `orphans` with a changed inventory; gives the exit code and what was said. Nothing may be printed or saved.
fn refused(
    made: &Made,
    change: impl FnOnce(&mut Files),
    after: impl FnOnce(&std::path::Path),
) -> (i32, String) {
    let folder = Folder::new();
    for key in ODD {
        folder.put_at(BUCKET, key, OLD);
    }
    let place = TempDir::new().unwrap();
    let mut files = made.files();
    change(&mut files);
    let inventory = files.write(place.path());
    after(place.path());
    let plan = place.path().join("plan.json");
    let repository = format!("{}/argo", made.repository());
    let inventory = inventory.display().to_string();
    let plan_out = plan.display().to_string();
    let ran = folder.run(
        "orphans",
        &["--repository", &repository, "--inventory", &inventory, "--exclusive", "--plan-out", &plan_out],
    );
    assert_eq!(ran.out, "", "{}", ran.err);
    assert!(!plan.exists());
    (ran.code.unwrap(), ran.err)
}

#[track_caller]
fn assert_refused(shape: Shape, words: &str, change: impl FnOnce(&mut Files)) {
    let (_, made) = made(shape);
    let (code, said) = refused(&made, change, |_| {});
    assert!(code == 1 && said.contains(words), "{shape:?} {words:?}: {code} {said}");
}

#[test]
fn a_damaged_inventory_is_no_answer() {
    let with_file = |files: &mut Files, at: usize, bytes: Vec<u8>| {
        files.manifest["files"][at]["size"] = json!(bytes.len());
        files.manifest["files"][at]["MD5checksum"] = json!(md5(&bytes));
        files.data[at].1 = bytes;
    };
    // Cut off, with and without checksums that fit.
    assert_refused(Shape::S3, "part-1.csv.gz", |files| {
        let length = files.data[1].1.len() - 9;
        files.data[1].1.truncate(length);
    });
    assert_refused(Shape::S3, "part-1.csv.gz line", |files| {
        let cut = files.data[1].1[..files.data[1].1.len() - 9].to_vec();
        with_file(files, 1, cut);
    });
    assert_refused(Shape::S3, "does not have the checksum that its manifest says", |files| {
        files.manifest["files"][2]["MD5checksum"] = json!("0".repeat(32));
    });
    assert_refused(Shape::S3, "does not have the size that its manifest says", |files| {
        files.manifest["files"][2]["size"] = json!(1);
    });
    assert_refused(Shape::Azure, "does not have the size that its manifest says", |files| {
        let line = files.data[0].1.iter().rposition(|byte| *byte == b'"' || *byte == b'H').unwrap();
        files.data[0].1.truncate(line + 3);
    });
    for shape in Shape::ALL {
        assert_refused(shape, "is missing", |files| drop(files.data.pop()));
    }
    assert_refused(Shape::S3, "its manifest names \"part-0.csv.gz\" twice", |files| {
        files.manifest["files"][1] = files.manifest["files"][0].clone();
    });
    assert_refused(Shape::S3, "is no name of a file", |files| {
        files.manifest["files"][1]["key"] = json!("../../secret");
    });
    // The manifest and its checksum.
    for shape in [Shape::S3, Shape::Azure] {
        assert_refused(shape, "manifest.checksum", |files| files.has_checksum = false);
        let (_, made) = made(shape);
        let name = made.files().key;
        let change = |folder: &std::path::Path| {
            let path = folder.join(&name);
            let text = std::fs::read_to_string(&path).unwrap();
            std::fs::write(path, format!("{text} ")).unwrap();
        };
        let (code, said) = refused(&made, |_| {}, change);
        assert!(code == 1 && said.contains("does not have the checksum in the file beside it"), "{said}");
    }
    assert_refused(Shape::Azure, "its run is \"Pending\"", |files| {
        files.manifest["status"] = json!("Pending")
    });
    assert_refused(Shape::Gcs, "its manifest names 3 shards of 4", |files| {
        files.manifest["shard_count"] = json!(4)
    });
    for shape in [Shape::Gcs, Shape::GcsWithHeader] {
        assert_refused(shape, "says 15 rows, and there are 13", |files| {
            files.manifest["records_processed"] = json!(15);
        });
    }
    assert_refused(Shape::Azure, "says 12 rows, and there are 13", |files| {
        files.manifest["summary"]["objectCount"] = json!(12);
    });
    assert_refused(Shape::S3, "this is no manifest", |files| files.manifest = json!({ "kind": "List" }));
    // Formats that are not read are named.
    assert_refused(Shape::S3, "\"Parquet\", and only CSV is read", |files| {
        files.manifest["fileFormat"] = json!("Parquet");
    });
    assert_refused(Shape::S3, "\"ORC\", and only CSV is read", |files| {
        files.manifest["fileFormat"] = json!("ORC")
    });
    assert_refused(Shape::Gcs, "only CSV is read", |files| {
        files.manifest["report_config"]["parquet_options"] = json!({})
    });
    assert_refused(Shape::Azure, "only CSV is read", |files| {
        files.manifest["ruleDefinition"]["format"] = json!("parquet");
    });
    // Without these columns nothing could be judged.
    assert_refused(Shape::S3, "no column LastModifiedDate", |files| {
        files.manifest["fileSchema"] = json!("Bucket, Key, Size");
    });
    assert_refused(Shape::S3, "no column that shows which are the latest", |files| {
        files.manifest["fileSchema"] = json!("Bucket, Key, VersionId, Size, LastModifiedDate");
    });
    assert_refused(Shape::Gcs, "no column timeDeleted", |files| {
        let fields = json!(["bucket", "name", "size", "timeCreated"]);
        files.manifest["report_config"]["object_metadata_report_options"]["metadata_fields"] = fields;
    });
}

#[test]
fn a_row_that_makes_no_sense_is_named_with_its_file_and_line() {
    let row = |words: &str, line: &str| {
        assert_refused(Shape::S3, words, |files| {
            let good = format!(
                "\"{BUCKET}\",\"argo/a\",\"v\",\"true\",\"false\",\"1\",\"2026-01-01T00:00:00Z\",\"e\",\"S\"\n"
            );
            let bytes = packed(&format!("{good}{line}\n{good}"));
            files.manifest["files"][1]["size"] = json!(bytes.len());
            files.manifest["files"][1]["MD5checksum"] = json!(md5(&bytes));
            files.data[1].1 = bytes;
        });
    };
    let line = "part-1.csv.gz line 2: ";
    row(&format!("{line}it has 3 columns, and there should be 9"), "\"a\",\"b\",\"c\"");
    let cells = |key: &str, latest: &str, size: &str, time: &str| {
        format!("\"{BUCKET}\",\"{key}\",\"v\",\"{latest}\",\"false\",\"{size}\",\"{time}\",\"e\",\"S\"")
    };
    let time = "2026-01-01T00:00:00Z";
    row(&format!("{line}\"1x\" is no size"), &cells("argo/a", "true", "1x", time));
    row(&format!("{line}\"today\" is no time"), &cells("argo/a", "true", "1", "today"));
    row(&format!("{line}IsLatest is \"yes\", neither true nor false"), &cells("argo/a", "yes", "1", time));
    row(&format!("{line}\"%zz\" is no URL-encoded key"), &cells("%zz", "true", "1", time));
    row(&format!("{line}its key is no UTF-8"), &cells("%FF", "true", "1", time));
    row(
        &format!("{line}it is of bucket \"other\""),
        &cells("argo/a", "true", "1", time).replace(BUCKET, "other"),
    );
    row(&format!("{line}the row is too long"), &format!("\"{}", "x\n".repeat(1 << 20)));
    // A header is there if it is told, and not else.
    assert_refused(
        Shape::GcsWithHeader,
        "_1.csv line 1: its header does not have the column name once",
        |files| {
            let text = String::from_utf8(files.data[1].1.clone()).unwrap();
            files.data[1].1 = text.split_once('\n').unwrap().1.into();
        },
    );
    assert_refused(Shape::Gcs, "_1.csv line 1: it is of bucket \"bucket\"", |files| {
        let header = b"project,bucket,name,size,timeCreated,timeDeleted,storageClass\n";
        files.data[1].1 = [&header[..], &files.data[1].1].concat();
    });
}

#[test]
fn an_inventory_of_another_bucket_is_refused() {
    for shape in Shape::ALL {
        let (folder, made) = made(shape);
        let place = TempDir::new().unwrap();
        let inventory = made.write(place.path()).display().to_string();
        let others = [
            "gs://other/argo",
            "s3://other/argo",
            "https://devstoreaccount1.blob.core.windows.net/other/argo",
        ];
        for other in others {
            // An inventory of Azure is of an account.
            if shape == Shape::Azure && other.starts_with("https") {
                continue;
            }
            let ran = folder.run("orphans", &["--repository", other, "--inventory", &inventory]).ends_with(5);
            assert!(
                ran.err.contains(&format!(
                    "is of {}",
                    made.repository().trim_end_matches(&format!("/{BUCKET}"))
                )),
                "{}",
                ran.err
            );
            assert_eq!(ran.out, "");
        }
    }
}

#[test]
fn what_an_inventory_is_limited_to_is_a_gap() {
    let (folder, made) = made(Shape::Azure);
    let run = |filters: Value| {
        let place = TempDir::new().unwrap();
        let mut files = made.files();
        files.manifest["ruleDefinition"]["filters"] = filters;
        let inventory = files.write(place.path()).display().to_string();
        let repository = format!("{}/argo", made.repository());
        folder.run("orphans", &["--repository", &repository, "--inventory", &inventory, "-o", "json"])
    };
    let gone = format!("{BUCKET}/argo/gone");
    let ran = run(json!({ "prefixMatch": [gone, "elsewhere"] })).ends_with(0);
    assert!(ran.json()["gaps"][0]["why"].as_str().unwrap().contains(&gone), "{}", ran.out);
    assert!(ran.err.contains("Warning: cannot read all of https://"), "{}", ran.err);
    for (filters, words) in [
        (json!({ "excludePrefix": [format!("{BUCKET}/argo/lost")] }), "leaves out names that begin with"),
        (json!({ "creationTime": { "lastNDays": 10 } }), "made in the 10 days before it"),
    ] {
        let ran = run(filters).ends_with(0);
        assert!(ran.err.contains(words), "{}", ran.err);
    }
    for filters in [
        json!({ "prefixMatch": ["elsewhere", format!("{BUCKET}/argon")] }),
        json!({ "excludePrefix": [BUCKET] }),
        json!({ "blobTypes": ["pageBlob"] }),
    ] {
        run(filters).ends_with(5);
    }
    assert!(run(json!({ "prefixMatch": [BUCKET] })).ends_with(0).json()["gaps"] == json!([]));
}

/// The artifacts of the first workflow of an inspection.
fn artifact<'d>(document: &'d Value, name: &str) -> &'d Value {
    let artifacts = document["workflows"][0]["artifacts"].as_array().unwrap();
    artifacts.iter().find(|artifact| artifact["name"] == name).unwrap()
}

#[test]
fn an_inspection_takes_sizes_from_an_inventory_and_looks_up_what_it_cannot_tell() {
    for shape in Shape::ALL {
        let keys =
            ["train/a.tgz", "train/dir", "train/missing", "train/collected", "train/left", "train/gone"];
        let mut wf = workflow("ml", "train", &keys);
        let artifacts = &mut pod(&mut wf)["outputs"]["artifacts"];
        artifacts[1]["archive"] = json!({ "none": {} });
        artifacts[3]["deleted"] = json!(true);
        artifacts[4]["deleted"] = json!(true);
        if shape != Shape::Gcs && shape != Shape::GcsWithHeader {
            let (engine, key, repository) = match shape {
                Shape::S3 => ("s3", "key", json!({ "endpoint": "s3.amazonaws.com", "bucket": BUCKET })),
                _ => (
                    "azure",
                    "blob",
                    json!({ "endpoint": "https://devstoreaccount1.blob.core.windows.net", "container": BUCKET }),
                ),
            };
            wf["status"]["artifactRepositoryRef"]["artifactRepository"] = json!({ engine: repository });
            for artifact in pod(&mut wf)["outputs"]["artifacts"].as_array_mut().unwrap() {
                let text = artifact["gcs"]["key"].take();
                artifact.as_object_mut().unwrap().remove("gcs");
                artifact[engine] = json!({ key: text });
            }
        }
        let mut folder = Folder::new();
        folder.add(wf);
        let run = SignedDuration::from_hours(49);
        let mut made = Made::new(shape, BUCKET);
        // What the inventory has is not asked for: the first artifacts are there in it alone.
        for key in ["train/a.tgz", "train/dir/1", "train/dir/2/3", "train/directory", "train/a.tgz.bak"] {
            made.add(key, run);
        }
        made.add_kind("train/a.tgz", run, Kind::Copy);
        // Argo deleted one after the inventory was made, and one it did not delete, whatever it says.
        made.add("train/collected", run).add("train/left", run);
        folder.put("train/left");
        folder.put("train/missing");
        let place = TempDir::new().unwrap();
        let inventory = made.write(place.path()).display().to_string();
        let ran = folder.run("inspect", &["--check", "--inventory", &inventory, "-o", "json"]).ends_with(0);
        let document = ran.json();
        let stored = |name: &str| artifact(&document, name)["stored"]["objects"].as_u64().unwrap();
        let verdict = |name: &str| artifact(&document, name)["verdict"].as_str().unwrap().to_owned();
        assert_eq!([stored("out-0"), stored("out-1"), stored("out-2")], [1, 2, 1], "{shape:?} {document}");
        assert_eq!(artifact(&document, "out-1")["stored"]["bytes"], "train/dir/1train/dir/2/3".len());
        assert_eq!((verdict("out-3"), stored("out-3")), ("collected".to_owned(), 0), "{shape:?}");
        assert_eq!((verdict("out-4"), stored("out-4")), ("uncovered".to_owned(), 1), "{shape:?}");
        assert_eq!((verdict("out-5"), stored("out-5")), ("collected".to_owned(), 0), "{shape:?}");
        assert_eq!(document["source"]["inventory"], json!({ "name": inventory, "asOf": made.as_of }));
        assert!(document["gaps"].to_string().contains("deleted copies in"), "{document}");
        assert!(ran.err.contains(&format!("as of {}", made.as_of)), "{}", ran.err);
        let schema: Value =
            serde_json::from_str(include_str!("../../docs/schema/inspection.v1.json")).unwrap();
        assert!(jsonschema::is_valid(&schema, &document));
    }
}

#[test]
fn what_ran_after_an_inventory_was_made_is_looked_up() {
    let mut folder = Folder::new();
    folder.add(workflow("ml", "train", &["train/a.tgz"]));
    let mut made = Made::new(Shape::GcsWithHeader, BUCKET);
    // An earlier run's object is in it, and was overwritten since by a smaller one.
    made.add("train/a.tgz", SignedDuration::from_hours(90));
    made.rows[0].size = 1000;
    made.as_of -= SignedDuration::from_hours(48);
    folder.put("train/a.tgz");
    let place = TempDir::new().unwrap();
    let inventory = made.write(place.path()).display().to_string();
    let document =
        folder.run("inspect", &["--check", "--inventory", &inventory, "-o", "json"]).ends_with(0).json();
    assert_eq!(artifact(&document, "out-0")["stored"]["bytes"], "train/a.tgz".len(), "{document}");
    folder.run("inspect", &["--inventory", &inventory]).ends_with(2);
}

/// A bucket of a real server, and one with reports beside it.
struct Place<'a> {
    live: &'a Live,
    repository: String,
    reports: String,
    put: &'a dyn Fn(&str, &str, &[u8]),
    run: &'a dyn Fn(&str, &[&str]) -> Ran,
}

/// Plans by an inventory that lies in a bucket, and carries the plan out: whatever changed since the inventory, or since
/// the plan, stays.
fn a_plan_by_an_inventory_is_carried_out(place: &Place<'_>, mut made: Made) {
    let Place { live, repository, reports, put, run } = place;
    let bucket = live.namespace;
    // The emulators of the others take no line break in a name.
    let has_breaks = made.shape == Shape::GcsWithHeader;
    let name = format!("{bucket}-gone");
    let key = |n: usize| format!("argo/{name}/{name}-1/{n} ü+b,\"{}.tgz", if has_breaks { "\n" } else { "" });
    for n in (0..6).filter(|n| *n != 1) {
        put(bucket, &key(n), b"x");
    }
    thread::sleep(Duration::from_millis(2100));
    // S3 tells no more than milliseconds.
    made.as_of = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
    for n in [3, 0, 5, 1, 4, 2] {
        made.add(&key(n), SignedDuration::from_secs(1));
    }
    thread::sleep(Duration::from_millis(1100));
    // Since then one was written again, one was deleted, and one is new.
    put(bucket, &key(0), b"y");
    put(bucket, &key(6), b"x");
    let files = made.files();
    for (key, bytes) in files.all() {
        put(&format!("{bucket}-reports"), &key, &bytes);
    }
    let inventory = format!("{reports}/{}", files.key);
    let plan = live.file("plan.json");
    let common = ["--repository", &format!("{repository}/argo"), "--older", "0s", "-o", "json"];
    let with = |more: &[&str]| run("orphans", &common.iter().chain(more).copied().collect::<Vec<_>>());
    let ran = with(&["--inventory", &inventory, "--exclusive", "--plan-out", &plan]).ends_with(0);
    let found = &ran.json()["repositories"][0];
    assert_eq!((&found["young"], &found["gone"]), (&json!(1), &json!(1)), "{found} {}", ran.err);
    assert_eq!(ran.json()["inventory"]["asOf"], json!(made.as_of));
    let document: Value = serde_json::from_str(&std::fs::read_to_string(&plan).unwrap()).unwrap();
    assert_eq!(deletes(&document), [key(2), key(3), key(4), key(5)]);
    thread::sleep(Duration::from_millis(1100));
    put(bucket, &key(2), b"y");
    let ran = run("purge", &["--plan", &plan, "--yes"]).ends_with(4);
    assert!(ran.out.contains("Deleted 3 objects"), "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("was overwritten since the plan was made"), "{}", ran.err);
    let left = with(&[]).ends_with(0).json();
    assert_eq!(left["repositories"][0]["orphans"][0]["objects"], 3, "{left}");
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn an_inventory_leads_to_the_same_pins_on_apiserver_and_fake_gcs() {
    let live = Live::start("inventory-gcs");
    let reports = "inventory-gcs-reports";
    live.gcs.bucket(live.namespace);
    live.gcs.bucket(reports);
    let place = Place {
        live: &live,
        repository: format!("gs://{}", live.namespace),
        reports: format!("gs://{reports}"),
        put: &|bucket, key, bytes| {
            live.gcs.put(bucket, key, bytes);
        },
        run: &|verb, arguments| match verb {
            "orphans" => Ran::of({
                let mut command = live.server.kubectl_as(ADMIN, ["argo-gc", verb]);
                command.args(arguments).env("STORAGE_EMULATOR_HOST", live.gcs.url());
                command
            }),
            _ => live.purge(arguments),
        },
    };
    a_plan_by_an_inventory_is_carried_out(&place, Made::new(Shape::GcsWithHeader, live.namespace));
    let planned: Vec<String> =
        (2..6).map(|n| format!("argo/inventory-gcs-gone/inventory-gcs-gone-1/{n} ü+b,\"\n.tgz")).collect();
    live.was_careful(&planned.iter().map(String::as_str).collect::<Vec<_>>());
}

fn with_emulator(namespace: &'static str, shape: Shape, emulator: &Emulator) {
    let live = Live::start(namespace);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let reports = format!("{namespace}-reports");
    runtime.block_on(async {
        emulator.make(namespace).await;
        emulator.make(&reports).await;
    });
    let place = Place {
        live: &live,
        repository: emulator.named(namespace).to_string(),
        reports: emulator.named(&reports).to_string(),
        put: &|bucket, key, bytes| runtime.block_on(emulator.put_bytes(bucket, key, bytes.to_vec())),
        run: &|verb, arguments| {
            let mut command = live.server.kubectl_as(ADMIN, ["argo-gc", verb]);
            command.args(arguments).args(["--endpoint-override", &emulator.over()]);
            Ran::of({
                command
                    .env("XDG_STATE_HOME", live.directory.path())
                    .env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
                    .env("AWS_SECRET_ACCESS_KEY", "not-to-be-shown")
                    .env("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT)
                    .env("AZURE_STORAGE_ACCOUNT_KEY", KEY);
                command
            })
        },
    };
    a_plan_by_an_inventory_is_carried_out(&place, Made::new(shape, namespace));
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn an_inventory_leads_to_the_same_pins_on_apiserver_and_fake_gcs_and_moto() {
    with_emulator("inventory-s3", Shape::S3, &Emulator::s3());
}

#[test]
#[ignore = "tests/run brings what it needs"]
fn an_inventory_leads_to_the_same_pins_on_apiserver_and_fake_gcs_and_azurite() {
    with_emulator("inventory-azure", Shape::Azure, &Emulator::azure());
}

/// Reads `0123456789` from a server that ends after five bytes, and then answers so to whoever asks for the rest.
async fn read_from(rest: &'static str) -> Result<String, String> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let first = "HTTP/1.1 200 OK\r\netag: \"1\"\r\ncontent-length: 10\r\n\r\n01234";
        for answer in [first, rest] {
            let Ok((mut stream, _)) = listener.accept() else { return };
            let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let asked: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let has_range = asked.iter().any(|line| line == "range: bytes=5-");
            assert_eq!(has_range, answer != first, "{asked:?}");
            let _ = stream.write_all(answer.as_bytes());
            // What was sent has arrived by the time that the connection is lost.
            thread::sleep(Duration::from_millis(300));
        }
    });
    let credentials = CloudCredentials {
        google: Credentials::none(),
        aws: AwsChain::default(),
        azure: AzureChain::default(),
    };
    let store = Store::Cloud(Cloud::new(Some(url), credentials, Vec::new(), Throttle::new(1, None)).unwrap());
    let pieces = store.read(&"gs://b".parse().unwrap(), "k").try_collect::<Vec<_>>().await;
    pieces.map(|pieces| String::from_utf8(pieces.concat()).unwrap()).map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_download_goes_on_where_its_connection_was_lost_and_with_the_same_object_only() {
    let whole = "HTTP/1.1 206 Partial Content\r\netag: \"1\"\r\ncontent-range: bytes 5-9/10\r\n\
                 content-length: 5\r\nconnection: close\r\n\r\n56789";
    assert_eq!(read_from(whole).await.unwrap(), "0123456789");
    for other in [
        "HTTP/1.1 206 Partial Content\r\netag: \"2\"\r\ncontent-range: bytes 5-9/10\r\ncontent-length: 5\r\n\r\n56789",
        "HTTP/1.1 206 Partial Content\r\netag: \"1\"\r\ncontent-range: bytes 0-9/10\r\ncontent-length: 5\r\n\r\n01234",
        "HTTP/1.1 200 OK\r\netag: \"1\"\r\ncontent-length: 10\r\n\r\n0123456789",
    ] {
        let error = read_from(other).await.unwrap_err();
        assert!(error.contains("gs://b/k: it changed while it was read"), "{error}");
    }
    let gone = "HTTP/1.1 404 Not Found\r\ncontent-length: 44\r\n\r\n{\"error\":{\"code\":404,\"message\":\"No object\"}}";
    assert!(read_from(gone).await.unwrap_err().contains("there is no such object"));
}
