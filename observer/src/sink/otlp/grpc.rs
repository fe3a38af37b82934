//! One request over gRPC. tonic's own channel is left out: it would be a second HTTP client.

use http::{HeaderMap, uri::PathAndQuery};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use tonic::{Extensions, Request, client::Grpc, metadata::MetadataMap};
use tonic_prost::ProstCodec;

use super::{client::Client, outcome::Outcome, target::Target};

/// The method of the service.
const METHOD: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

/// Sends a request; what became of it.
pub(super) async fn send(
    client: Client,
    target: &Target,
    headers: &HeaderMap,
    request: ExportLogsServiceRequest,
) -> Outcome {
    let codec = ProstCodec::<ExportLogsServiceRequest, ExportLogsServiceResponse>::default();
    let metadata = MetadataMap::from_headers(headers.clone());
    let request = Request::from_parts(metadata, Extensions::default(), request);
    let mut grpc = Grpc::with_origin(client, target.uri().clone());
    match grpc.unary(request, PathAndQuery::from_static(METHOD), codec).await {
        Ok(response) => Outcome::Taken(response.into_inner()),
        Err(status) => Outcome::of_status(status),
    }
}
