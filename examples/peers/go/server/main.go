// Serves `divide` by amqp091-go: the least that works. Runs until Ctrl-C.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"

	amqp "github.com/rabbitmq/amqp091-go"
)

func divide(body []byte) ([]byte, error) {
	var kwargs struct{ A, B float64 }
	if err := json.Unmarshal(body, &kwargs); err != nil {
		return nil, err
	}
	return json.Marshal(kwargs.A / kwargs.B) // an error if that is no number
}

func main() {
	conn, err := amqp.Dial(os.Getenv("RABBITMQ_URL"))
	must(err)
	ch, err := conn.Channel()
	must(err)
	arguments := amqp.Table{"x-dead-letter-exchange": "rpc.dlx"}
	_, err = ch.QueueDeclare("divide", true, false, false, false, arguments)
	must(err)
	must(ch.Qos(16, 0, false))
	calls, err := ch.Consume("divide", "", false, false, false, false, nil)
	must(err)
	fmt.Println("ready")
	for call := range calls {
		reply := amqp.Publishing{Type: "result", CorrelationId: call.CorrelationId}
		if reply.Body, err = divide(call.Body); err != nil {
			failure := map[string]string{"type": "DivideError", "message": err.Error()}
			reply.Type = "error"
			reply.Body, err = json.Marshal(map[string]any{"error": failure})
			must(err)
		}
		if call.ReplyTo != "" {
			must(ch.PublishWithContext(context.Background(), "", call.ReplyTo, false, false, reply))
		}
		must(call.Ack(false))
	}
	log.Fatal("the connection or the queue is gone")
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
