# The image of every role: `docker run millrace producer`, `... worker`, `... dev`. See docs/docker.md.
# Builds with BuildKit and with the classic builder.

# What the binary runs in: sh and awk for tasks, certificates for TLS, a user without rights.
FROM debian:bookworm-slim AS runtime
RUN apt-get update -q \
 && apt-get install -yq --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* \
 && useradd --uid 10001 --user-group --no-log-init --no-create-home --home-dir /var/lib/millrace --shell /usr/sbin/nologin millrace \
 && install --directory --owner millrace --group millrace --mode 0700 /var/lib/millrace
ENV MILLRACE_DATA=/var/lib/millrace
# A named volume takes its first owner from here.
WORKDIR /var/lib/millrace
USER millrace
ENTRYPOINT ["millrace"]
CMD ["--help"]

# The manifests, with empty sources: changes only when a dependency does, whatever crates are added.
FROM rust:1.95-bookworm AS manifests
WORKDIR /src
COPY . .
RUN find . -type f ! -name Cargo.toml ! -name Cargo.lock \
      ! -path '*/src/lib.rs' ! -path '*/src/main.rs' ! -path '*/src/bin/*.rs' ! -path '*/benches/*.rs' ! -name build.rs -delete \
 && find . -type d -empty -delete \
 && find . -name '*.rs' | while read -r file; do echo 'fn main() {}' >"$file"; done

FROM rust:1.95-bookworm AS build
WORKDIR /src
ENV CARGO_PROFILE_RELEASE_STRIP=symbols
# The dependencies, a layer of their own.
COPY --from=manifests /src .
RUN cargo build --release --locked -p millrace-cli
# Our own code; the date makes cargo see that it is newer than the empty sources.
COPY . .
RUN find . -path ./target -prune -o -name '*.rs' -exec touch {} + \
 && cargo build --release --locked -p millrace-cli

FROM runtime
COPY --from=build /src/target/release/millrace /usr/local/bin/millrace
