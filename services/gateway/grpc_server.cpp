#include "services/gateway/grpc_server.h"

#include <absl/synchronization/mutex.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>

#include <fstream>
#include <sstream>

#include "common/log.h"
#include "grpc/health/v1/health.pb.h"
#include "services/gateway/workers.h"
#include "xundian/gateway/v1/gateway_service.grpc.pb.h"

namespace xundian::gateway {

namespace {

constexpr size_t calls_waiting_max = 1'000;

grpc::Status status_of(const Error& error) { return {static_cast<grpc::StatusCode>(error.code), error.message}; }

Caller caller_of(const grpc::CallbackServerContext& context) {
  Caller caller;
  const auto& metadata = context.client_metadata();
  if (const auto found = metadata.find("authorization"); found != metadata.end())
    caller.authorization.assign(found->second.data(), found->second.size());
  const auto left = context.deadline() - std::chrono::system_clock::now();
  // A call without a deadline has one in the far future.
  if (left < std::chrono::hours(24))
    caller.timeout_ms = std::max<Millis>(std::chrono::duration_cast<std::chrono::milliseconds>(left).count(), 1);
  return caller;
}

// Counts streams whose threads still run, so that the end can wait for them.
class Running {
 public:
  void began() {
    const std::lock_guard lock(mutex_);
    ++count_;
  }
  void ended() {
    const std::lock_guard lock(mutex_);
    if (--count_ == 0) none_.notify_all();
  }
  void wait_for_none() {
    std::unique_lock lock(mutex_);
    none_.wait(lock, [this] { return count_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable none_;
  int count_ = 0;
};

// A stream: its handler runs on a thread of its own and waits for each message to be taken, so that a slow reader slows itself.
template <typename Request, typename Response>
class StreamReactor final : public grpc::ServerWriteReactor<Response> {
 public:
  using Run = std::function<Result<void>(const Caller&, const Sink<Response>&)>;

  StreamReactor(const grpc::CallbackServerContext& context, Running& running, Run run) : running_(running) {
    running_.began();
    Caller caller = caller_of(context);
    caller.timeout_ms = 0;  // Streams are exempt: the client's own end is heard as a cancellation.
    caller.gone = [this] { return cancelled(); };
    std::thread([this, caller = std::move(caller), run = std::move(run)] {
      Running& counted = running_;
      const auto ended = run(caller, [this](const Response& message) { return write(message); });
      this->Finish(ended ? grpc::Status::OK : status_of(ended.error()));  // `this` may be gone from here on.
      counted.ended();
    }).detach();
  }

  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    broken_ = broken_ || !ok;
    moved_.notify_all();
  }
  void OnCancel() override {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
  }
  void OnDone() override { delete this; }

 private:
  bool cancelled() {
    const std::lock_guard lock(mutex_);
    return cancelled_ || broken_;
  }
  bool write(const Response& message) {
    {
      const std::lock_guard lock(mutex_);
      if (cancelled_ || broken_) return false;
      message_ = message;
      writing_ = true;
    }
    this->StartWrite(&message_);
    // OnWriteDone comes also after a cancellation.
    std::unique_lock lock(mutex_);
    moved_.wait(lock, [this] { return !writing_; });
    return !broken_ && !cancelled_;
  }

  Running& running_;
  std::mutex mutex_;
  std::condition_variable moved_;
  Response message_;
  bool writing_ = false, broken_ = false, cancelled_ = false;
};

template <typename Response>
void hand_over(Response given, Response& response) {
  response = std::move(given);
}
template <typename Response>
void hand_over(const Serialized<Response>& given, grpc::ByteBuffer& response) {
  const grpc::Slice slice(given.bytes);
  response = grpc::ByteBuffer(&slice, 1);
}

class Service final : public v1::GatewayService::WithRawCallbackMethod_GetOverview<v1::GatewayService::CallbackService> {
 public:
  Service(Door& door, size_t workers) : door_(door), workers_(workers, calls_waiting_max) {}

#define XUNDIAN_SERVE(Method, function, verb, unnamed)                                                         \
  grpc::ServerUnaryReactor* Method(grpc::CallbackServerContext* context, const v1::Method##Request* request,   \
                                   v1::Method##Response* response) override {                                  \
    const std::shared_ptr<const v1::Method##Request> held(std::shared_ptr<void>(), request);                   \
    return unary(MethodRule{#Method, Verb::verb, Unnamed::unnamed}, &Api::function, context, held, *response); \
  }
  XUNDIAN_MESSAGE_METHODS(XUNDIAN_SERVE)
#undef XUNDIAN_SERVE
#define XUNDIAN_SERVE(Method, function, verb, unnamed)                                                                     \
  grpc::ServerUnaryReactor* Method(grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,                    \
                                   grpc::ByteBuffer* response) override {                                                  \
    const auto request = std::make_shared<v1::Method##Request>();                                                          \
    grpc::ByteBuffer read = *bytes;                                                                                        \
    if (!grpc::SerializationTraits<v1::Method##Request>::Deserialize(&read, request.get()).ok())                           \
      return refuse(context, {grpc::StatusCode::INVALID_ARGUMENT, "the request is no " #Method "Request"});                \
    return unary<v1::Method##Request>(MethodRule{#Method, Verb::verb, Unnamed::unnamed}, &Api::function, context, request, \
                                      *response);                                                                          \
  }
  XUNDIAN_SERIALIZED_METHODS(XUNDIAN_SERVE)
#undef XUNDIAN_SERVE
#define XUNDIAN_SERVE(Method, function, verb, unnamed)                                                   \
  grpc::ServerWriteReactor<v1::Method##Response>* Method(grpc::CallbackServerContext* context,           \
                                                         const v1::Method##Request* request) override {  \
    return stream(MethodRule{#Method, Verb::verb, Unnamed::unnamed}, &Api::function, context, *request); \
  }
  XUNDIAN_STREAM_METHODS(XUNDIAN_SERVE)
#undef XUNDIAN_SERVE

  void wait_for_streams() { running_.wait_for_none(); }

 private:
  static grpc::ServerUnaryReactor* refuse(grpc::CallbackServerContext* context, const grpc::Status& status) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(status);
    return reactor;
  }

  // A thread of gRPC's that waits reads no calls, so workers carry them out. What is asked for most often is over soon, and one
  // of those threads may do it itself, for gRPC has two at least.
  template <typename Request, typename Answer, typename Response>
  grpc::ServerUnaryReactor* unary(const MethodRule& rule, Door::Unary<Request, Answer> handle,
                                  grpc::CallbackServerContext* context, std::shared_ptr<const Request> request,
                                  Response& response) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    Caller caller = caller_of(*context);
    caller.gone = [context] { return context->IsCancelled(); };
    auto carry_out = [this, rule, handle, caller = std::move(caller), reactor, request = std::move(request), &response] {
      auto result = door_.unary(rule, handle, caller, *request);
      if (result) hand_over(std::move(*result), response);
      reactor->Finish(result ? grpc::Status::OK : status_of(result.error()));
    };
    constexpr bool is_over_soon = std::is_same_v<Response, grpc::ByteBuffer>;
    const bool is_taken = is_over_soon ? workers_.run_soon(std::move(carry_out)) : workers_.run(std::move(carry_out));
    if (!is_taken) reactor->Finish({grpc::StatusCode::RESOURCE_EXHAUSTED, "too many calls wait; try again in a moment"});
    return reactor;
  }

  template <typename Request, typename Response>
  grpc::ServerWriteReactor<Response>* stream(const MethodRule& rule, Door::Stream<Request, Response> handle,
                                             grpc::CallbackServerContext* context, const Request& request) {
    return new StreamReactor<Request, Response>(*context, running_,
                                                [this, rule, handle, request](const Caller& caller, const Sink<Response>& sink) {
                                                  return door_.stream(rule, handle, caller, request, sink);
                                                });
  }

  Door& door_;
  Running running_;
  Workers workers_;
};

}  // namespace

Result<std::string> read_whole_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  if (!file || !(text << file.rdbuf())) return fail(Code::not_found, "{} cannot be read", path);
  return text.str();
}

struct GrpcServer::Impl {
  Impl(Door& door, size_t workers) : service(door, workers) {}
  Service service;
  std::unique_ptr<grpc::Server> server;
  int port = 0;
};

GrpcServer::GrpcServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
GrpcServer::~GrpcServer() { stop(); }
int GrpcServer::port() const { return impl_->port; }

Result<std::unique_ptr<GrpcServer>> GrpcServer::start(const Settings& settings, Door& door) {
  // Debian's absl looks for deadlocks at each of gRPC's locks, unless it is told not to.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  // Reflection names the health service; this makes its description known to it.
  (void)::grpc::health::v1::HealthCheckRequest::descriptor();
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  auto impl = std::make_unique<Impl>(door, static_cast<size_t>(settings.workers));
  std::shared_ptr<grpc::ServerCredentials> credentials = grpc::InsecureServerCredentials();
  if (settings.tls()) {
    grpc::SslServerCredentialsOptions options;
    options.pem_key_cert_pairs.push_back(
        {TRY(read_whole_file(settings.tls_key_file)), TRY(read_whole_file(settings.tls_cert_file))});
    credentials = grpc::SslServerCredentials(options);
  }
  grpc::ServerBuilder builder;
  builder.AddListeningPort(settings.grpc, credentials, &impl->port);
  builder.RegisterService(&impl->service);
  builder.SetMaxReceiveMessageSize(static_cast<int>(message_bytes_max));
  builder.SetMaxSendMessageSize(static_cast<int>(message_bytes_max));
  builder.SetResourceQuota(grpc::ResourceQuota("gateway").Resize(256u << 20));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, 100);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, 8 << 10);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  impl->server = builder.BuildAndStart();
  if (!impl->server || impl->port == 0)
    return fail(Code::unavailable, "{} cannot be listened on for gRPC; is it taken?", settings.grpc);
  return std::unique_ptr<GrpcServer>(new GrpcServer(std::move(impl)));
}

void GrpcServer::stop() {
  if (!impl_->server) return;
  impl_->server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(2));
  impl_->service.wait_for_streams();
  impl_->server->Wait();
  impl_->server.reset();
}

}  // namespace xundian::gateway
