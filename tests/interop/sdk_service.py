"""A small service on doip_sdk's DOIPServer, for tests/conformance: `sdk_service.py PORT`. Objects are kept in memory.

What a handler's author writes is here as plain as in the SDK's documentation; how requests are read, told apart and answered is the SDK's.
"""

import json
import sys
import tempfile
import uuid
from pathlib import Path

from doip_sdk import (DOIPHandler, DOIPServer, ResponseStatus, ServerResponse, write_empty_segment, write_file_segment,
                      write_json_segment)

SERVICE = "35.SDK/service"
OPERATIONS = [f"0.DOIP/Op.{name}" for name in ("Hello", "ListOperations", "Create")]
ON_OBJECTS = [f"0.DOIP/Op.{name}" for name in ("Retrieve", "Delete", "ListOperations")]

objects = {}  # id -> (object, {element id: bytes})


class Handler(DOIPHandler):
    def answer(self, request, status=ResponseStatus.SUCCESS, output=None):
        response = ServerResponse(status=status, requestId=request.get("requestId"), output=output)
        write_json_segment(socket=self.request, message=response.model_dump(exclude_none=True))

    def only(self, request, status=ResponseStatus.SUCCESS, output=None):
        self.answer(request, status, output)
        write_empty_segment(socket=self.request)

    def hello(self, request, _):
        attributes = {"ipAddress": "127.0.0.1", "port": int(sys.argv[1]), "protocol": "TCP", "protocolVersion": "2.0"}
        self.only(request, output={"id": SERVICE, "type": "0.TYPE/DOIPServiceInfo", "attributes": attributes})

    def list_operations(self, request, _):
        target = request["targetId"]
        if target != SERVICE and target not in objects:
            return self.only(request, ResponseStatus.UNKNOWN_DO, {"reason": f"{target} is not here"})
        return self.only(request, output=OPERATIONS if target == SERVICE else ON_OBJECTS)

    def create(self, request, chunks):
        value = request.get("input") or json.loads(next(chunks))
        data, header = {}, None
        for chunk in chunks:
            if chunk == b"@":
                data[header["id"]] = bytearray()
                for piece in chunks:
                    if piece == b"#":
                        break
                    data[header["id"]] += piece
            else:
                header = json.loads(chunk)
        value["id"] = value.get("id") or f"35.SDK/{uuid.uuid4()}"
        if value["id"] in objects:
            return self.only(request, ResponseStatus.DUPLICATED_PID, {"reason": f"{value['id']} is here already"})
        for element in value.get("elements", []):
            if element["id"] in data:
                element["length"] = len(data[element["id"]])
        objects[value["id"]] = (value, data)
        return self.only(request, output=value)

    def retrieve(self, request, _):
        value, data = objects.get(request["targetId"], (None, None))
        attributes = request.get("attributes") or {}
        if value is None:
            return self.only(request, ResponseStatus.UNKNOWN_DO, {"reason": f"{request['targetId']} is not here"})
        if "element" in attributes:
            self.answer(request)
            self.bytes(data.get(attributes["element"], b""))
            return write_empty_segment(socket=self.request)
        if attributes.get("includeElementData") not in (True, "true"):
            return self.only(request, output=value)
        self.answer(request)
        write_json_segment(socket=self.request, message=value)
        for name in data:
            write_json_segment(socket=self.request, message={"id": name})
            self.bytes(data[name])
        return write_empty_segment(socket=self.request)

    def bytes(self, data):
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            write_file_segment(self.request, Path(file.name))

    def delete(self, request, _):
        known = objects.pop(request["targetId"], None)
        self.only(request, ResponseStatus.SUCCESS if known else ResponseStatus.UNKNOWN_DO)


if __name__ == "__main__":
    with DOIPServer("127.0.0.1", int(sys.argv[1]), Handler) as server:
        server.start()
