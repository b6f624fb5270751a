# An image of nothing but the program and the certificates it trusts: docker build -t argo-gc .
FROM rust:1.95-alpine AS build
# The SBOM of an empty image would be empty: what is built from is listed too.
ARG BUILDKIT_SBOM_SCAN_STAGE=true
RUN apk add --no-cache build-base ca-certificates
WORKDIR /source
COPY . .
# Alpine's own target is musl's, whatever the processor, and what is built for it is static.
RUN cargo build --release --locked && mkdir -m 1777 /empty-tmp

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /empty-tmp /tmp
COPY --from=build /source/target/release/kubectl-argo_gc /kubectl-argo_gc
USER 65532:65532
ENTRYPOINT ["/kubectl-argo_gc"]
