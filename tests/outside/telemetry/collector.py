"""An OpenTelemetry collector that tells what it is sent, one JSON object a line.

The messages are decoded by OpenTelemetry's own package. The first line names the address to send to.
"""

import http.server
import json
import sys
import threading

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_CUMULATIVE
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status


saying = threading.Lock()


def value(any_value):
    return getattr(any_value, any_value.WhichOneof("value"))


def attributes(pairs):
    return {pair.key: value(pair.value) for pair in pairs}


def say(what):
    with saying:
        sys.stdout.write(json.dumps(what) + "\n")
        sys.stdout.flush()


def spans(request, headers):
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                assert len(span.trace_id) == 16 and len(span.span_id) == 8
                assert span.start_time_unix_nano <= span.end_time_unix_nano
                say({
                    "signal": "span",
                    "key": headers.get("x-key"),
                    "service": attributes(resource.resource.attributes)["service.name"],
                    "trace_id": span.trace_id.hex(),
                    "span_id": span.span_id.hex(),
                    "parent": span.parent_span_id.hex(),
                    "trace_state": span.trace_state,
                    "name": span.name,
                    "kind": Span.SpanKind.Name(span.kind),
                    "status": Status.StatusCode.Name(span.status.code),
                    "attributes": attributes(span.attributes),
                })


def metrics(request):
    for resource in request.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                kind = metric.WhichOneof("data")
                data = getattr(metric, kind)
                if kind != "gauge":
                    assert data.aggregation_temporality == AGGREGATION_TEMPORALITY_CUMULATIVE
                for point in data.data_points:
                    if kind == "histogram":
                        assert len(point.bucket_counts) == len(point.explicit_bounds) + 1
                        assert sum(point.bucket_counts) == point.count
                        number = point.count
                    else:
                        number = point.as_double
                    say({
                        "signal": "metric",
                        "service": attributes(resource.resource.attributes)["service.name"],
                        "name": metric.name,
                        "kind": kind,
                        "attributes": attributes(point.attributes),
                        "value": number,
                    })


class Collector(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        assert self.headers["content-type"] == "application/x-protobuf"
        if self.path == "/v1/traces":
            spans(ExportTraceServiceRequest.FromString(body), self.headers)
            answer = ExportTraceServiceResponse()
        else:
            assert self.path == "/v1/metrics", self.path
            metrics(ExportMetricsServiceRequest.FromString(body))
            answer = ExportMetricsServiceResponse()
        body = answer.SerializeToString()
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """A host that has ended does not wait for its last answer."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


server = Server(("127.0.0.1", 0), Collector)
say({"signal": "listening", "address": f"http://127.0.0.1:{server.server_address[1]}"})
server.serve_forever()
