//! Reads the errors of storage drivers: whether one says that the object does not exist (`docs/argo-gc.md#drivers`).

/// Returns true if a driver's error means that the object itself does not exist, as opposed to its bucket, or to a
/// secret of that driver. A key may hold any text, so numbers alone say nothing.
pub(crate) fn is_missing(error: &str) -> bool {
    const SIGNS: [&str; 9] = [
        "object doesn't exist",
        "object does not exist",
        "no such object",
        "nosuchkey",
        "specified key does not exist",
        "blobnotfound",
        "specified blob does not exist",
        "error 404",
        "statuscode=404",
    ];
    const OTHERS: [&str; 5] = [
        "nosuchbucket",
        "bucket doesn't exist",
        "bucket does not exist",
        "containernotfound",
        "container does not exist",
    ];
    let error = error.to_ascii_lowercase();
    let says = |signs: &[&str]| signs.iter().any(|sign| error.contains(sign));
    says(&SIGNS) && !says(&OTHERS)
}

#[cfg(test)]
mod tests {
    use super::is_missing;

    #[test]
    fn only_a_missing_object_is_missing() {
        for error in [
            "storage: object doesn't exist",
            "unable to delete object out.tgz: googleapi: Error 404: No such object: b/out.tgz, notFound",
            "NoSuchKey: The specified key does not exist.",
            "RESPONSE 404: 404 The specified blob does not exist. ERROR CODE: BlobNotFound",
            "oss: service returned error: StatusCode=404, ErrorCode=NoSuchKey",
        ] {
            assert!(is_missing(error), "{error}");
        }
        for error in [
            "storage: bucket doesn't exist",
            "NoSuchBucket: The specified bucket does not exist",
            "RESPONSE 404: 404 The specified container does not exist. ERROR CODE: ContainerNotFound",
            "secret \"gcs-cred\" not found",
            "googleapi: Error 403: may not delete run-404/out.tgz",
        ] {
            assert!(!is_missing(error), "{error}");
        }
    }
}
