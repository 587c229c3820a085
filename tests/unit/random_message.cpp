#include "tests/unit/random_message.h"

#include <google/protobuf/descriptor.h>

namespace xundian {

namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Short numbers and long ones, and those at either end.
uint64_t random_number(Random& random) {
  switch (random() % 8) {
    case 0:
      return 0;
    case 1:
      return UINT64_MAX;
    case 2:
      return uint64_t{1} << 63;
    default:
      return random() >> random() % 64;
  }
}

std::string random_text(Random& random) {
  std::string text;
  for (uint64_t left = random() % 3 == 0 ? random() % 300 : random() % 12; left > 0; --left)
    text += random() % 5 == 0 ? std::string("店") : std::string(1, static_cast<char>(random() % 128));
  return text;
}

void set_field(Message& message, const FieldDescriptor* field, Random& random, int depth) {
  const auto* reflection = message.GetReflection();
  const bool repeated = field->is_repeated();
  const uint64_t number = random_number(random);
  switch (field->cpp_type()) {
#define SET(TYPE, VALUE) repeated ? reflection->Add##TYPE(&message, field, VALUE) : reflection->Set##TYPE(&message, field, VALUE)
    case FieldDescriptor::CPPTYPE_INT32:
      SET(Int32, static_cast<int32_t>(number));
      break;
    case FieldDescriptor::CPPTYPE_INT64:
      SET(Int64, static_cast<int64_t>(number));
      break;
    case FieldDescriptor::CPPTYPE_UINT32:
      SET(UInt32, static_cast<uint32_t>(number));
      break;
    case FieldDescriptor::CPPTYPE_UINT64:
      SET(UInt64, number);
      break;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      SET(Double, static_cast<double>(number) / 3);
      break;
    case FieldDescriptor::CPPTYPE_FLOAT:
      SET(Float, static_cast<float>(number) / 3);
      break;
    case FieldDescriptor::CPPTYPE_BOOL:
      SET(Bool, number % 2 == 1);
      break;
    case FieldDescriptor::CPPTYPE_ENUM:
      SET(EnumValue, static_cast<int>(number % 4));
      break;
    case FieldDescriptor::CPPTYPE_STRING:
      SET(String, random_text(random));
      break;
#undef SET
    case FieldDescriptor::CPPTYPE_MESSAGE:
      fill(repeated ? *reflection->AddMessage(&message, field) : *reflection->MutableMessage(&message, field), random, depth + 1);
      break;
  }
}

}  // namespace

void fill(Message& message, Random& random, int depth) {
  const auto* descriptor = message.GetDescriptor();
  for (int index = 0; index < descriptor->field_count(); ++index) {
    const FieldDescriptor* field = descriptor->field(index);
    if (field->real_containing_oneof() != nullptr || random() % 2 == 0) continue;
    if (depth > 4 && field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) continue;
    for (uint64_t left = field->is_repeated() ? random() % 4 : 1; left > 0; --left) set_field(message, field, random, depth);
  }
  for (int index = 0; index < descriptor->real_oneof_decl_count(); ++index) {
    const auto* choice = descriptor->oneof_decl(index);
    set_field(message, choice->field(static_cast<int>(random() % static_cast<uint64_t>(choice->field_count()))), random, depth);
  }
}

facts::v1::Fact random_fact(Random& random) {
  for (;;) {
    facts::v1::Fact fact;
    fill(fact, random);
    const auto* state = fact.GetReflection()->GetOneofFieldDescriptor(fact, fact.GetDescriptor()->oneof_decl(0));
    if (fact.GetReflection()->GetMessage(fact, state).ByteSizeLong() > 0) return fact;
  }
}

}  // namespace xundian
