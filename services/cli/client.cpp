#include "services/cli/client.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace xundian::cli {

namespace {

std::string from_environment(const char* name, const std::string& otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == 0 ? otherwise : text;
}

std::shared_ptr<grpc::ChannelCredentials> credentials() {
  // A gateway outside this machine speaks TLS; XUNDIAN_CA names the certificate that it is checked against.
  const std::string authority = from_environment("XUNDIAN_CA", "");
  if (authority.empty()) return grpc::InsecureChannelCredentials();
  std::ifstream file(authority);
  std::stringstream text;
  text << file.rdbuf();
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = text.str();
  return grpc::SslCredentials(options);
}

}  // namespace

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  if (!file || !(text << file.rdbuf())) return fail(Code::invalid_argument, "{} cannot be read", path);
  return text.str();
}

Result<Environment> read_environment() {
  Environment environment;
  environment.home = from_environment("XUNDIAN_HOME", "./var");
  environment.http = from_environment("XUNDIAN_HTTP", "127.0.0.1:8080");
  environment.grpc = from_environment("XUNDIAN_GRPC", "127.0.0.1:8081");
  environment.token = from_environment("XUNDIAN_TOKEN", "");
  if (environment.token.empty()) {
    std::ifstream file(environment.home + "/admin.token");
    if (!file || !std::getline(file, environment.token))
      return fail(Code::unauthenticated,
                  "there is no token: {}/admin.token cannot be read. Set XUNDIAN_TOKEN, or XUNDIAN_HOME to the home of "
                  "running services (deploy/up starts them)",
                  environment.home);
  }
  return environment;
}

Client::Client(const Environment& environment) : environment_(environment) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(68 << 20);
  arguments.SetMaxSendMessageSize(68 << 20);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  stub_ = v1::GatewayService::NewStub(grpc::CreateCustomChannel(environment.grpc, credentials(), arguments));
}

void Client::prepare(grpc::ClientContext& context, Millis timeout_ms) const {
  context.AddMetadata("authorization", "Bearer " + environment_.token);
  if (timeout_ms > 0) context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(timeout_ms));
}

Error Client::error_of(const grpc::Status& status) const {
  Error error{static_cast<Code>(status.error_code()), status.error_message()};
  if (error.code == Code::unavailable && error.message.find("connect") != std::string::npos)
    error.message = fmt::format("no gateway answers at {}; start it with deploy/up, or set XUNDIAN_GRPC", environment_.grpc);
  return error;
}

int complain(const Error& error) {
  fmt::print(stderr, "xundian: {}\n", error.message);
  switch (error.code) {
    case Code::invalid_argument:
    case Code::not_found:
    case Code::failed_precondition:
    case Code::out_of_range:
      return wrong_use;
    default:
      return failed;
  }
}

}  // namespace xundian::cli
