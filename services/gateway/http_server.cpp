#include "services/gateway/http_server.h"

#include <httplib.h>

#include <thread>

#include "common/log.h"
#include "services/gateway/connect.h"

namespace xundian::gateway {

namespace {

constexpr const char* page_policy =
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'; "
    "base-uri 'none'";

void answer_error(httplib::Response& response, const Error& error) {
  response.status = http_status(error.code);
  response.set_content(error_json(error), "application/json");
}

// Which codec a content type names; `kind` is "application/" or "application/connect+".
std::optional<Codec> codec_of(const httplib::Request& request, std::string_view kind) {
  std::string type = request.get_header_value("Content-Type");
  type = type.substr(0, type.find(';'));
  while (!type.empty() && type.back() == ' ') type.pop_back();
  if (type == std::string(kind) + "json") return Codec::json;
  if (type == std::string(kind) + "proto") return Codec::proto;
  return std::nullopt;
}

Result<Caller> caller_of(const httplib::Request& request) {
  Caller caller;
  caller.authorization = request.get_header_value("Authorization");
  const std::string version = request.get_header_value("Connect-Protocol-Version");
  if (!version.empty() && version != "1")
    return fail(Code::invalid_argument, "Connect-Protocol-Version is \"{}\"; 1 is spoken here", version);
  const std::string timeout = request.get_header_value("Connect-Timeout-Ms");
  if (!timeout.empty()) {
    if (timeout.size() > 10 || timeout.find_first_not_of("0123456789") != std::string::npos)
      return fail(Code::invalid_argument, "Connect-Timeout-Ms \"{}\" is no number of at most ten digits", timeout);
    caller.timeout_ms = std::max<Millis>(std::stoll(timeout), 1);
  }
  for (const char* name : {"Content-Encoding", "Connect-Content-Encoding"}) {
    const std::string encoding = request.get_header_value(name);
    if (!encoding.empty() && encoding != "identity")
      return fail(Code::unimplemented, "the encoding {} is not taken; send identity", encoding);
  }
  return caller;
}

// A media type that this method does not speak.
void answer_unsupported(httplib::Response& response, const char* accepted) {
  response.status = 415;
  response.set_header("Accept-Post", accepted);
}

template <typename Request, typename Response>
void serve_unary(Door& door, const MethodRule& rule, Door::Unary<Request, Response> handle, const httplib::Request& http,
                 httplib::Response& answer) {
  const auto codec = codec_of(http, "application/");
  if (!codec) return answer_unsupported(answer, "application/json, application/proto");
  const auto caller = caller_of(http);
  if (!caller) return answer_error(answer, caller.error());
  Request request;
  // The token comes before the body: who may not call learns nothing of what the call takes.
  Result<Response> response;
  if (const auto parsed = parse(*codec, http.body, request); parsed)
    response = door.unary(rule, handle, *caller, request);
  else if (const auto known = door.authenticate(*caller); !known)
    response = tl::unexpected(known.error());
  else
    response = tl::unexpected(parsed.error());
  auto bytes = std::move(response).and_then([&](Response given) { return encode(*codec, std::move(given)); });
  if (!bytes) return answer_error(answer, bytes.error());
  answer.set_content(std::move(*bytes), *codec == Codec::json ? "application/json" : "application/proto");
}

template <typename Request, typename Response>
void serve_stream(Door& door, const MethodRule& rule, Door::Stream<Request, Response> handle, const httplib::Request& http,
                  httplib::Response& answer) {
  const auto codec = codec_of(http, "application/connect+");
  if (!codec) return answer_unsupported(answer, "application/connect+json, application/connect+proto");
  const char* type = *codec == Codec::json ? "application/connect+json" : "application/connect+proto";
  auto caller = caller_of(http);
  auto request = std::make_shared<Request>();
  Result<void> ready;
  if (!caller)
    ready = tl::unexpected(caller.error());
  else if (const auto known = door.authenticate(*caller); !known)
    ready = known;
  else if (const auto message = open_envelope(http.body); !message)
    ready = tl::unexpected(message.error());
  else
    ready = parse(*codec, *message, *request);
  if (!ready) {  // A stream's errors come in its end, with status 200.
    answer.set_content(end_of_stream(ready), type);
    return;
  }
  answer.set_chunked_content_provider(
      type, [&door, rule, handle, caller = *caller, request, codec = *codec](size_t, httplib::DataSink& out) {
        Caller asks = caller;
        asks.timeout_ms = 0;
        asks.gone = [&out] { return !out.is_writable(); };
        const Sink<Response> sink = [&](const Response& message) {
          const std::string bytes = envelope(0, serialize(codec, message));
          return out.write(bytes.data(), bytes.size());
        };
        const std::string end = end_of_stream(door.stream(rule, handle, asks, *request, sink));
        out.write(end.data(), end.size());
        out.done();
        return true;
      });
}

using Serve = std::function<void(const httplib::Request&, httplib::Response&)>;

std::map<std::string, Serve, std::less<>> make_table(Door& door) {
  std::map<std::string, Serve, std::less<>> table;
#define XUNDIAN_SERVE(Method, function, verb, unnamed)                                                                           \
  table[#Method] = [&door](const httplib::Request& request, httplib::Response& response) {                                       \
    serve_unary<v1::Method##Request, Given<v1::Method##Response>>(door, {#Method, Verb::verb, Unnamed::unnamed}, &Api::function, \
                                                                  request, response);                                            \
  };
  XUNDIAN_UNARY_METHODS(XUNDIAN_SERVE)
#undef XUNDIAN_SERVE
#define XUNDIAN_SERVE(Method, function, verb, unnamed)                                                                     \
  table[#Method] = [&door](const httplib::Request& request, httplib::Response& response) {                                 \
    serve_stream<v1::Method##Request, v1::Method##Response>(door, {#Method, Verb::verb, Unnamed::unnamed}, &Api::function, \
                                                            request, response);                                            \
  };
  XUNDIAN_STREAM_METHODS(XUNDIAN_SERVE)
#undef XUNDIAN_SERVE
  return table;
}

}  // namespace

struct HttpServer::Impl {
  std::unique_ptr<httplib::Server> server;
  std::thread thread;
  int port = 0;
};

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() { stop(); }
int HttpServer::port() const { return impl_->port; }

void HttpServer::stop() {
  if (!impl_->thread.joinable()) return;
  impl_->server->stop();
  impl_->thread.join();
}

namespace {

void add_routes(httplib::Server& server, Door& door) {
  auto table = std::make_shared<std::map<std::string, Serve, std::less<>>>(make_table(door));
  server.Post(R"(/xundian\.gateway\.v1\.GatewayService/(\w+))",
              [table](const httplib::Request& request, httplib::Response& response) {
                const auto found = table->find(request.matches[1].str());
                if (found != table->end()) return found->second(request, response);
                answer_error(response, {Code::unimplemented, fmt::format("there is no method {}", request.matches[1].str())});
                response.status = 404;
              });
  server.Get("/healthz",
             [](const httplib::Request&, httplib::Response& response) { response.set_content("ok\n", "text/plain"); });
  server.Get("/metrics", [&door](const httplib::Request&, httplib::Response& response) {
    response.set_content(door.metrics_text(), "text/plain; version=0.0.4");
  });
  server.Get("/", [](const httplib::Request&, httplib::Response& response) {
    response.set_header("Content-Security-Policy", page_policy);
    response.set_header("X-Content-Type-Options", "nosniff");
    response.set_header("Referrer-Policy", "no-referrer");
    response.set_header("Cache-Control", "no-store");
    const std::string_view page = status_page();
    response.set_content(page.data(), page.size(), "text/html; charset=utf-8");
  });
}

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::start(const Settings& settings, Door& door) {
  const Address address = TRY(parse_address(settings.http));
  auto impl = std::make_unique<Impl>();
  if (settings.tls()) {
    impl->server = std::make_unique<httplib::SSLServer>(settings.tls_cert_file.c_str(), settings.tls_key_file.c_str());
    if (!impl->server->is_valid())
      return fail(Code::invalid_argument, "{} and {} are no certificate and key", settings.tls_cert_file, settings.tls_key_file);
  } else {
    impl->server = std::make_unique<httplib::Server>();
  }
  httplib::Server& server = *impl->server;
  // Each stream holds a thread, and so does each kept connection.
  const auto threads = static_cast<size_t>(settings.workers + settings.streams_max);
  server.new_task_queue = [threads] { return new httplib::ThreadPool(threads); };
  server.set_payload_max_length(message_bytes_max * 4 / 3);  // Bytes in JSON are base64.
  server.set_read_timeout(30, 0);
  server.set_write_timeout(30, 0);
  server.set_keep_alive_max_count(10'000);
  server.set_tcp_nodelay(true);
  server.set_exception_handler([](const auto&, auto& response, const std::exception_ptr&) {
    answer_error(response, {Code::internal, "the call failed inside; the log says more"});
  });
  add_routes(server, door);
  if (address.port == 0)
    impl->port = server.bind_to_any_port(address.host);
  else
    impl->port = server.bind_to_port(address.host, address.port) ? address.port : -1;
  if (impl->port <= 0) return fail(Code::unavailable, "{} cannot be listened on for HTTP; is it taken?", settings.http);
  impl->thread = std::thread([&server] { server.listen_after_bind(); });
  while (!server.is_running()) std::this_thread::yield();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

}  // namespace xundian::gateway
