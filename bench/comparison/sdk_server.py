"""A doip_sdk server whose Hello answers a fixed object: sdk_server.py PORT CERTIFICATE KEY JSON. Runs in the environment that tests/interop made."""

import json
import sys

from doip_sdk import DOIPHandler, DOIPServer, ResponseStatus, ServerResponse, write_empty_segment, write_json_segment

OUTPUT = json.loads(sys.argv[4])


class Handler(DOIPHandler):
    def hello(self, first_segment, _):
        response = ServerResponse(status=ResponseStatus.SUCCESS, requestId=first_segment.get("requestId"), output=OUTPUT)
        write_json_segment(socket=self.request, message=response.model_dump(exclude_none=True))
        write_empty_segment(socket=self.request)


with DOIPServer("127.0.0.1", int(sys.argv[1]), Handler, key_cert_files=(sys.argv[3], sys.argv[2])) as server:
    server.start()
