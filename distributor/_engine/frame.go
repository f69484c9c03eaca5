package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
)

// A frame is
//
//	uint32 big endian: length of the rest
//	uint32 big endian: length of the JSON header
//	the JSON header
//	blob bytes: the contents of the files (request) or the objects (answer), end to end
const frameOverhead = 4

// maxHeader bounds the header of a request: file names, values, patches.
const maxHeader = 16 << 20

// readRequest reads one frame. A frame that is too large is read to its end and refused with its
// id, so that the stream stays in step; any other error means that the stream is lost.
func readRequest(in io.Reader, limits Limits) (Request, []byte, error) {
	var request Request
	var prefix [8]byte
	if _, err := io.ReadFull(in, prefix[:]); err != nil {
		return request, nil, err
	}
	rest := int64(binary.BigEndian.Uint32(prefix[:4])) - frameOverhead
	headerSize := int64(binary.BigEndian.Uint32(prefix[4:]))
	if headerSize > rest || headerSize > maxHeader {
		return request, nil, fmt.Errorf("header of %d bytes in a frame of %d", headerSize, rest)
	}
	header := make([]byte, headerSize)
	if _, err := io.ReadFull(in, header); err != nil {
		return request, nil, err
	}
	if err := json.Unmarshal(header, &request); err != nil {
		return request, nil, fmt.Errorf("header is not JSON: %w", err)
	}
	blobSize := rest - headerSize
	if blobSize > int64(limits.MaxInput) {
		if _, err := io.CopyN(io.Discard, in, blobSize); err != nil {
			return request, nil, err
		}
		return request, nil, fail(codeTooLarge, "", "the files hold %d bytes, the limit is %d", blobSize, limits.MaxInput)
	}
	blob := make([]byte, blobSize)
	_, err := io.ReadFull(in, blob)
	return request, blob, err
}

// writeAnswer writes one frame in a single write.
func writeAnswer(out io.Writer, answer Answer, objects [][]byte) error {
	answer.OK = answer.Error == nil
	answer.Objects = make([]int, len(objects))
	blobSize := 0
	for i, object := range objects {
		answer.Objects[i] = len(object)
		blobSize += len(object)
	}
	header, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	frame := make([]byte, 0, 2*frameOverhead+len(header)+blobSize)
	frame = binary.BigEndian.AppendUint32(frame, uint32(frameOverhead+len(header)+blobSize))
	frame = binary.BigEndian.AppendUint32(frame, uint32(len(header)))
	frame = append(frame, header...)
	for _, object := range objects {
		frame = append(frame, object...)
	}
	_, err = out.Write(frame)
	return err
}
